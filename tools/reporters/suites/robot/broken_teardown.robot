*** Settings ***
Suite Teardown    Fail    tear-down of the suite failed

*** Test Cases ***
Teardown
    No Operation

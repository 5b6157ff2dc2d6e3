*** Settings ***
Suite Setup    Fail    set-up of the suite failed

*** Test Cases ***
Setup
    No Operation

*** Settings ***
Library    OperatingSystem

*** Test Cases ***
Hostile <b>&"]]> 😀 #1
    ${text}=    Get File    hostile.txt
    Fail    ${text}

Pass
    No Operation

Fail
    Should Be Equal    1    2

Error
    There Is No Such Keyword

Skip
    Skip    not on this machine

Retry
    ${exists}=    Run Keyword And Return Status    File Should Exist    retried
    Create File    retried
    Should Be True    ${exists}    fails the first time

Twins 1
    Twin    1

Twins 2
    Twin    2

Setup
    [Setup]    Fail    set-up failed
    No Operation

Teardown
    No Operation
    [Teardown]    Fail    tear-down failed

Timeout
    [Timeout]    300 milliseconds
    Sleep    30 seconds

*** Keywords ***
Twin
    [Arguments]    ${number}
    Should Be Equal    ${number}    2

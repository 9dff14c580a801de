*** Settings ***
Documentation    What goes wrong in the field ends neither silently nor in a hang: the firmware reports it, and the
...              harness names the cause.

Resource         ../resources/common.resource


*** Test Cases ***
Model Damaged In Flash
    [Documentation]    One bit of the network is another than the one that was built.
    ${cause} =    Damage The Model    ${MODEL}    ${PLATFORM}    ${KERNELS}    ${OPTIMISATION}    ${EMULATOR}
    Should Contain    ${cause}    the model in flash is damaged

Arena One Step Too Small
    [Documentation]    16 bytes less than the network needs.
    ${cause} =    Shrink The Arena    ${MODEL}    ${PLATFORM}    ${KERNELS}    ${OPTIMISATION}    ${EMULATOR}
    Should Contain    ${cause}    AllocateTensors failed

Stack Overflow
    [Documentation]    The program recurses until its stack is full.
    ${cause} =    Overflow The Stack    ${MODEL}    ${PLATFORM}    ${KERNELS}    ${OPTIMISATION}    ${EMULATOR}
    Should Contain    ${cause}    stack overflow

Hang Under A Watchdog
    [Documentation]    The program loops for ever.
    ${cause} =    Hang Under The Watchdog    ${MODEL}    ${PLATFORM}    ${KERNELS}    ${OPTIMISATION}    ${EMULATOR}
    Should Contain    ${cause}    the watchdog ended it

Frame With A Wrong CRC
    [Documentation]    A bit got lost on the UART.
    [Template]    Bad Frame Should Be Answered
    wrong CRC    the frame's CRC was wrong

Frame That Is Too Short
    [Documentation]    No header.
    [Template]    Bad Frame Should Be Answered
    too short    the frame was too short

Frame That Is Too Long
    [Documentation]    More than the firmware has room for.
    [Template]    Bad Frame Should Be Answered
    too long    the frame was too long

Frame Of An Unknown Type
    [Documentation]    A request that there is not.
    [Template]    Bad Frame Should Be Answered
    unknown type    no request has this type

Frame With A Bad Argument
    [Documentation]    An output tensor that the network does not have.
    [Template]    Bad Frame Should Be Answered
    bad argument    an argument is out of range


*** Keywords ***
Bad Frame Should Be Answered
    [Documentation]    Sends it between two inferences; both must give the same.
    [Arguments]    ${kind}    ${answer}
    ${said} =    Send Bad Frame
    ...    ${kind}
    ...    ${MODEL}
    ...    ${PLATFORM}
    ...    ${KERNELS}
    ...    ${OPTIMISATION}
    ...    ${EMULATOR}
    Should Be Equal    ${said}    ${answer}

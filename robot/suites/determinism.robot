*** Settings ***
Documentation    The same run gives the same bytes, with all that can be cached cached and with nothing of it.

Resource         ../resources/common.resource


*** Variables ***
${TIMES}    3


*** Test Cases ***
Warm And Cold Runs Are Equal
    [Documentation]    Everything that a run stores: result, tables, console, ELF.
    ${cold} =    Repeat    cold=True
    ${warm} =    Repeat    cold=False
    Runs Should Be Equal    ${cold}    ${warm}


*** Keywords ***
Repeat
    [Documentation]    Runs the network several times.
    [Arguments]    ${cold}
    ${repeats} =    Repeat Model
    ...    ${MODEL}
    ...    ${PLATFORM}
    ...    times=${TIMES}
    ...    cold=${cold}
    ...    kernels=${KERNELS}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    RETURN    ${repeats}

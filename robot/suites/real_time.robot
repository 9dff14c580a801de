*** Settings ***
Documentation    A timer delivers inputs at a rate, and each inference is over before the next input is whole. Time is
...              executed instructions at one a cycle of the platform's clock: no wait states, no pipeline.

Resource         ../resources/common.resource


*** Variables ***
${RATE}                 100
${ALLOWED_DEVIATION}    2


*** Test Cases ***
Deadlines Are Met
    [Documentation]    At the rate that is asked for, in inputs a second.
    ${result} =    Deliver Inputs
    Deadlines Should Be Met    ${result}

Repeats Are Identical
    [Documentation]    Nothing depends on the computer that runs the emulator.
    ${first} =    Deliver Inputs
    ${second} =    Deliver Inputs
    Should Be Equal    ${first}    ${second}

Highest Rate Is What The Instructions Allow
    [Documentation]    Raises the rate until a deadline is missed; the log has a line of each rate.
    ${ramp} =    Ramp Up The Rate
    ...    ${MODEL}
    ...    ${PLATFORM}
    ...    kernels=${KERNELS}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    Highest Rate Should Be As Predicted    ${ramp}    ${ALLOWED_DEVIATION}


*** Keywords ***
Deliver Inputs
    [Documentation]    Runs the network at the rate.
    ${result} =    Run In Real Time
    ...    ${MODEL}
    ...    ${PLATFORM}
    ...    ${RATE}
    ...    kernels=${KERNELS}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    RETURN    ${result}

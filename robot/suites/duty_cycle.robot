*** Settings ***
Documentation    The core sleeps between inferences, and is awake for no more of the time than it may be.

Resource         ../resources/common.resource

Suite Setup      Deliver Inputs


*** Variables ***
${RATE}               10
${MOST_AWAKE}         0.1
${MOST_IN_HANDLER}    1000


*** Test Cases ***
Core Is Awake For A Small Share Of The Time
    [Documentation]    Active instructions over those that there is time for.
    Should Be At Most    ${RESULT.utilisation}    ${MOST_AWAKE}    of the time    awake

Core Sleeps For The Rest
    [Documentation]    Active and asleep add up to the time between two inputs, but for the last inference.
    Duty Cycle Should Add Up    ${RESULT}

Interrupt Is Short
    [Documentation]    What the timer's handler executes for an input.
    Should Be At Most
    ...    ${RESULT.handler_instructions_per_frame}
    ...    ${MOST_IN_HANDLER}
    ...    instructions
    ...    interrupt handlers for an input

Energy
    [Documentation]    Active and idle time are what an estimate of energy is made of.
    Skip    the harness estimates no energy


*** Keywords ***
Deliver Inputs
    [Documentation]    Runs the network at a rate that leaves time to sleep.
    ${result} =    Run In Real Time
    ...    ${MODEL}
    ...    ${PLATFORM}
    ...    ${RATE}
    ...    kernels=${KERNELS}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    Set Suite Variable    ${RESULT}    ${result}

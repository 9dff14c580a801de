*** Settings ***
Documentation    Nothing got worse than a stored baseline by more than is allowed. Where there is no baseline that
...              can be compared (another compiler, TFLM, model ...), the tests are skipped and say why.

Resource         ../resources/common.resource

Suite Setup      Measure
Test Template    Should Be No Worse Than The Baseline


*** Variables ***
${BASELINES}          ${CURDIR}/../../results/baselines
${ALLOWED_PERCENT}    1


*** Test Cases ***
Instructions    instructions
Instructions Of Each Layer    layers
Flash    flash
Arena    arena
Stack    stack


*** Keywords ***
Measure
    [Documentation]    Runs the network once for all tests.
    ${result} =    Run Model
    ...    ${MODEL}
    ...    ${PLATFORM}
    ...    kernels=${KERNELS}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    Set Suite Variable    ${RESULT}    ${result}

Should Be No Worse Than The Baseline
    [Documentation]    Compares one metric.
    [Arguments]    ${metric}
    ${baseline} =    Find Baseline    ${RESULT}    ${BASELINES}
    Should Be No Worse Than    ${RESULT}    ${baseline}    ${metric}    ${ALLOWED_PERCENT}

*** Settings ***
Documentation    Reference kernels and CMSIS-NN compute the same output in each layer, on each core.

Resource         ../resources/cores.resource

Test Template    Kernels Should Agree


*** Test Cases ***
Cortex-M0    cortex-m0
Cortex-M0+    cortex-m0plus
Cortex-M3    cortex-m3
Cortex-M4F    cortex-m4
Cortex-M7    cortex-m7
Cortex-M33    cortex-m33
Cortex-M55    cortex-m55


*** Keywords ***
Kernels Should Agree
    [Documentation]    Runs the network with both kernel sets on a platform with that core.
    [Arguments]    ${core}
    ${platform} =    Choose Platform    ${core}
    ${reference} =    Run With    reference    ${platform}
    ${cmsis_nn} =    Run With    cmsis-nn    ${platform}
    Layers Should Agree    ${reference}    ${cmsis_nn}

Run With
    [Documentation]    Runs the network with a kernel set.
    [Arguments]    ${kernels}    ${platform}
    ${result} =    Run Model
    ...    ${MODEL}
    ...    ${platform}
    ...    kernels=${kernels}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    RETURN    ${result}

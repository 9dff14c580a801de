*** Settings ***
Documentation    The network builds for each core, runs, fits, and every layer's output is exact.

Resource         ../resources/cores.resource

Test Template    Model Should Run


*** Test Cases ***
Cortex-M0    cortex-m0
Cortex-M0+    cortex-m0plus
Cortex-M3    cortex-m3
Cortex-M4F    cortex-m4
Cortex-M7    cortex-m7
Cortex-M33    cortex-m33
Cortex-M55    cortex-m55


*** Keywords ***
Model Should Run
    [Documentation]    Runs the network on a platform with that core.
    [Arguments]    ${core}
    ${platform} =    Choose Platform    ${core}
    ${result} =    Run Model
    ...    ${MODEL}
    ...    ${platform}
    ...    kernels=${KERNELS}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    Run Should Pass    ${result}

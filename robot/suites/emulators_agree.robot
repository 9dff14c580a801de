*** Settings ***
Documentation    QEMU and Renode execute the same instructions in every segment of one firmware, and compute
...              the same outputs. Skipped where there is no Renode.

Resource         ../resources/common.resource

Test Template    Emulators Should Agree


*** Test Cases ***
Reference Kernels    reference
CMSIS-NN    cmsis-nn


*** Keywords ***
Emulators Should Agree
    [Documentation]    Runs the network on both.
    [Arguments]    ${kernels}
    Skip Unless Renode Is Found
    ${qemu}    ${renode} =    Run Model On Both Emulators
    ...    ${MODEL}
    ...    ${PLATFORM}
    ...    kernels=${kernels}
    ...    optimisation=${OPTIMISATION}
    Layers Should Agree    ${qemu}    ${renode}
    Run Should Pass    ${renode}

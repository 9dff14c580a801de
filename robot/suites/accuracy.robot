*** Settings ***
Documentation    A test set goes through the device's UART: as accurate as it should be, each image as on the host.

Resource         ../resources/common.resource

Suite Setup      Classify The Test Set


*** Variables ***
${IMAGES}      ${CURDIR}/../data/digits_images.npy
${LABELS}      ${CURDIR}/../data/digits_labels.npy
${ACCURACY}    0.9


*** Test Cases ***
Every Image Is Equal On Device And Host
    [Documentation]    The bytes of all outputs.
    Images Should Be Equal    ${RESULT}

Device Is Accurate
    [Documentation]    The share of images whose class is right.
    Should Be At Least    ${RESULT.device_accuracy}    ${ACCURACY}    of all images    accuracy on the device


*** Keywords ***
Classify The Test Set
    [Documentation]    Sends each image to firmware that serves.
    ${result} =    Measure Accuracy
    ...    ${MODEL}
    ...    ${IMAGES}
    ...    ${LABELS}
    ...    ${PLATFORM}
    ...    kernels=${KERNELS}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    Set Suite Variable    ${RESULT}    ${result}

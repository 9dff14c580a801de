*** Settings ***
Documentation    Instructions, flash, arena and stack stay within the limits of the platform's table,
...              ``robot/budgets/PLATFORM.csv``; each row becomes a test.

Resource         ../resources/common.resource
Library          ../BudgetTable.py    ${BUDGETS}    Should Be Within Budget


*** Variables ***
${BUDGETS}    ${CURDIR}/../budgets/${PLATFORM}.csv


*** Test Cases ***
Budgets
    [Documentation]    Gives way to a test of each row.
    Fail    the table of budgets was not read


*** Keywords ***
Should Be Within Budget
    [Documentation]    One row: measures the network, once for all of its rows, and checks a metric.
    [Arguments]    ${network}    ${kernels}    ${metric}    ${limit}    ${unit}
    ${result} =    Run Model Once
    ...    ${network}
    ...    ${PLATFORM}
    ...    kernels=${kernels}
    ...    optimisation=${OPTIMISATION}
    ...    emulator=${EMULATOR}
    Metric Should Be At Most    ${result}    ${metric}    ${limit}    ${unit}

"""The code for physical boards against the chips' published headers: register addresses, bits, pins; and the clock that
its constants make. Code and table were written from the same sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import flashable, platforms
from harness.paths import data_folder

FOLDER = data_folder("firmware") / "targets" / "boards"

# Base + offset, as the headers have them: STMicroelectronics/cmsis_device_l4, _f4, _f7, _u5 (Include/stm32*xx.h);
# raspberrypi/pico-sdk, src/rp2040/hardware_regs/include/hardware/regs; Nordic's nRF52840 Product Specification.
REGISTERS = {
    "stm32l4.c": {
        "RCC_CR": 0x40021000,
        "RCC_CFGR": 0x40021008,
        "RCC_PLLCFGR": 0x4002100C,
        "RCC_AHB2ENR": 0x4002104C,
        "RCC_APB1ENR1": 0x40021058,
        "RCC_APB1ENR2": 0x4002105C,
        "RCC_CCIPR": 0x40021088,
        "PWR_CR2": 0x40007004,
        "PWR_CR5": 0x40007080,
        "FLASH_ACR": 0x40022000,
        "GPIO_BASE": 0x48000000,
    },
    "stm32f4.c": {
        "RCC_CR": 0x40023800,
        "RCC_PLLCFGR": 0x40023804,
        "RCC_CFGR": 0x40023808,
        "RCC_AHB1ENR": 0x40023830,
        "RCC_APB1ENR": 0x40023840,
        "PWR_CR": 0x40007000,
        "PWR_CSR": 0x40007004,
        "FLASH_ACR": 0x40023C00,
        "GPIO_BASE": 0x40020000,
    },
    "stm32f7.c": {
        "RCC_CR": 0x40023800,
        "RCC_PLLCFGR": 0x40023804,
        "RCC_CFGR": 0x40023808,
        "RCC_AHB1ENR": 0x40023830,
        "RCC_APB1ENR": 0x40023840,
        "RCC_DCKCFGR2": 0x40023890,
        "PWR_CR1": 0x40007000,
        "PWR_CSR1": 0x40007004,
        "FLASH_ACR": 0x40023C00,
        "GPIO_BASE": 0x40020000,
        # Armv7-M Architecture Reference Manual, system control space
        "SCB_CCR": 0xE000ED14,
        "SCB_CCSIDR": 0xE000ED80,
        "SCB_CSSELR": 0xE000ED84,
        "SCB_ICIALLU": 0xE000EF50,
        "SCB_DCISW": 0xE000EF60,
    },
    "stm32u5.c": {
        "RCC_CR": 0x46020C00,
        "RCC_CFGR1": 0x46020C1C,
        "RCC_CFGR2": 0x46020C20,
        "RCC_PLL1CFGR": 0x46020C28,
        "RCC_PLL1DIVR": 0x46020C34,
        "RCC_AHB2ENR1": 0x46020C8C,
        "RCC_AHB3ENR": 0x46020C94,
        "RCC_APB2ENR": 0x46020CA4,
        "RCC_CCIPR1": 0x46020CE0,
        "PWR_VOSR": 0x4602080C,
        "FLASH_ACR": 0x40022000,
        "ICACHE_CR": 0x40030400,
        "ICACHE_SR": 0x40030404,
        "GPIO_BASE": 0x42020000,
    },
    "nrf52.c": {
        "CLOCK_TASKS_HFCLKSTART": 0x40000000,
        "CLOCK_EVENTS_HFCLKSTARTED": 0x40000100,
        "NVMC_ICACHECNF": 0x4001E540,
        "GPIO_OUTSET": 0x50000508,
        "GPIO_DIRSET": 0x50000518,
        "GPIO_PIN_CNF": 0x50000700,
    },
    "rp2040.c": {
        "RESETS_RESET": 0x4000C000,
        "RESETS_DONE": 0x4000C008,
        "XOSC_CTRL": 0x40024000,
        "XOSC_STATUS": 0x40024004,
        "XOSC_STARTUP": 0x4002400C,
        "PLL_CS": 0x40028000,
        "PLL_PWR": 0x40028004,
        "PLL_FBDIV": 0x40028008,
        "PLL_PRIM": 0x4002800C,
        "CLK_REF_CTRL": 0x40008030,
        "CLK_REF_SELECTED": 0x40008038,
        "CLK_SYS_CTRL": 0x4000803C,
        "CLK_SYS_SELECTED": 0x40008044,
        "CLK_PERI_CTRL": 0x40008048,
        "IO_BANK0": 0x40014000,
        "PADS_BANK0": 0x4001C000,
        "WATCHDOG_CTRL": 0x40058000,
        "WATCHDOG_SCRATCH4": 0x4005801C,
        "PSM_WDSEL": 0x40010008,
    },
    # Armv7-M and Armv6-M Architecture Reference Manuals
    "mark_cycles.c": {
        "SYST_CSR": 0xE000E010,
        "SYST_RVR": 0xE000E014,
        "SYST_CVR": 0xE000E018,
        "DEMCR": 0xE000EDFC,
        "DWT_CTRL": 0xE0001000,
        "DWT_CYCCNT": 0xE0001004,
        "DWT_LAR": 0xE0001FB0,
    },
    "reset.c": {"SCB_AIRCR": 0xE000ED0C},
}

# Bits and values of the same headers.
BITS = {
    "stm32l4.c": {
        "CR_HSION": 1 << 8,
        "CR_HSIRDY": 1 << 10,
        "CR_PLLON": 1 << 24,
        "CR_PLLRDY": 1 << 25,
        "PLLCFGR_HSI": 2,
        "PLLCFGR_REN": 1 << 24,
        "CFGR_SW_PLL": 3,
        "CFGR_SWS_PLL": 3 << 2,
        "CFGR_HPRE_DIV2": 0x80,
        "APB1ENR1_PWREN": 1 << 28,
        "APB1ENR2_LPUART1EN": 1,
        "CCIPR_LPUART1SEL": 10,
        "CR2_IOSV": 1 << 9,
        "CR5_R1MODE": 1 << 8,
    },
    "stm32f4.c": {
        "CR_HSIRDY": 1 << 1,
        "CR_PLLON": 1 << 24,
        "CR_PLLRDY": 1 << 25,
        "CFGR_SW_PLL": 2,
        "CFGR_SWS_PLL": 2 << 2,
        "CFGR_PPRE1_DIV4": 0x1400,
        "CFGR_PPRE2_DIV2": 0x8000,
        "APB1ENR_PWREN": 1 << 28,
        "CR_ODEN": 1 << 16,
        "CR_ODSWEN": 1 << 17,
        "CSR_ODRDY": 1 << 16,
        "CSR_ODSWRDY": 1 << 17,
        "ACR_PRFTEN": 1 << 8,
        "ACR_ICEN": 1 << 9,
        "ACR_DCEN": 1 << 10,
    },
    "stm32f7.c": {
        "APB1ENR_USART3EN": 1 << 18,
        "DCKCFGR2_USART3SEL": 4,
        "CR1_ODEN": 1 << 16,
        "CR1_ODSWEN": 1 << 17,
        "CSR1_ODRDY": 1 << 16,
        "CSR1_ODSWRDY": 1 << 17,
        "ACR_PRFTEN": 1 << 8,
        "ACR_ARTEN": 1 << 9,
        "CCR_DC": 1 << 16,
        "CCR_IC": 1 << 17,
    },
    "stm32u5.c": {
        "CR_HSION": 1 << 8,
        "CR_HSIRDY": 1 << 10,
        "CR_PLL1ON": 1 << 24,
        "CR_PLL1RDY": 1 << 25,
        "PLL1CFGR_HSI": 2,
        "PLL1CFGR_RGE_8_TO_16_MHZ": 0xC,
        "PLL1CFGR_MBOOST_DIV2": 1 << 12,
        "PLL1CFGR_REN": 1 << 18,
        "CFGR1_SW_PLL1": 3,
        "AHB3ENR_PWREN": 1 << 2,
        "APB2ENR_USART1EN": 1 << 14,
        "VOSR_VOS": 16,
        "VOSR_BOOSTRDY": 1 << 14,
        "VOSR_VOSRDY": 1 << 15,
        "VOSR_BOOSTEN": 1 << 18,
        "ACR_PRFTEN": 1 << 8,
    },
    "rp2040.c": {
        "RESET_IO_BANK0": 0x00000020,
        "RESET_PADS_BANK0": 0x00000100,
        "RESET_PLL_SYS": 0x00001000,
        "RESET_UART0": 0x00400000,
        "XOSC_STABLE": 0x80000000,
        "XOSC_1_TO_15_MHZ": 0xAA0,
        "XOSC_ENABLE": 0xFAB000,
        "CS_LOCK": 0x80000000,
        "PWR_POSTDIVPD": 0x8,
        "PWR_DSMPD": 0x4,
        "REF_XOSC": 2,
        "SYS_AUX": 1,
        "PERI_ENABLE": 1 << 11,
        "WATCHDOG_TRIGGER": 0x80000000,
        "WDSEL_ALL_BUT_OSCILLATORS": 0x1FFFF & ~3,
    },
}

# Port, transmit pin, receive pin, function: the boards' user manuals and Mbed OS' PeripheralPins.c of each board; the
# Pico's datasheet; the nRF52840 DK's user guide.
PINS = {
    "nrf52840": (None, 6, 8, None),
    "rp2040": (None, 0, 1, 2),
    "stm32f446re": ("A", 2, 3, 7),
    "stm32f469ni": ("B", 10, 11, 7),
    "stm32f746zg": ("D", 8, 9, 7),
    "stm32f767zi": ("D", 8, 9, 7),
    "stm32l496zg": ("G", 7, 8, 8),
    "stm32l4r5zi": ("G", 7, 8, 8),
    "stm32u575": ("A", 9, 10, 7),
}


def constants(*files: Path) -> dict[str, int | str]:
    """The object-like macros of C files whose values are numbers or a character."""
    texts: dict[str, str] = {}
    for file in files:
        code = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL).replace("\\\n", " ")
        texts |= dict(re.findall(r"^#define (\w+) +(\S.*?)\s*$", code, re.MULTILINE))
    texts = {name: re.sub(r"\b(0x[0-9a-f]+|\d+)u\b", r"\1", text) for name, text in texts.items()}
    values: dict[str, int | str] = {}
    while True:
        found = {
            name: text.strip("'") if text[0] == "'" else eval(text, {"__builtins__": {}}, values)  # of our own sources
            for name, text in texts.items()
            if name not in values
            and (text[0] == "'" or all(word in values for word in re.findall(r"\b[A-Za-z_]\w*", text)))
        }
        if not found:
            return values
        values |= found


@pytest.mark.parametrize("file", REGISTERS)
def test_register_addresses_are_the_chips(file: str) -> None:
    found = constants(FOLDER / file)
    expected = REGISTERS[file]
    assert {name: f"{found[name]:#x}" for name in expected} == {name: f"{at:#x}" for name, at in expected.items()}
    # Nothing that the code reads or writes is missing from the table.
    used = set(re.findall(r"(?:REGISTER|wait_for|set_field)\((\w+)[,)]", (FOLDER / file).read_text()))
    named = {name for name in used if name.isupper()}
    assert named <= set(expected) | {"UARTE_PSEL_TXD", "UARTE_PSEL_RXD"}


@pytest.mark.parametrize("file", BITS)
def test_bits_are_the_chips(file: str) -> None:
    found = constants(FOLDER / file)
    assert {name: found[name] for name in BITS[file]} == BITS[file]


def test_every_board_has_its_header_and_its_familys_code() -> None:
    boards = {platform.name for platform in platforms.all() if platform.kind == "board"}
    assert set(flashable.BOARDS) == boards == set(PINS)
    headers = {path.stem for path in FOLDER.glob("*.h")} - {"flashed", "stm32"}
    assert headers == boards
    for family in flashable.FAMILIES.values():
        assert all((FOLDER / source).is_file() for source in (*family.sources, *filter(None, [family.boot])))
    assert set(flashable.BOARDS.values()) == set(flashable.FAMILIES)


@pytest.mark.parametrize("board", PINS)
def test_the_consoles_pins(board: str) -> None:
    found = constants(FOLDER / f"{board}.h")
    names = ("CONSOLE_PORT", "CONSOLE_TX", "CONSOLE_RX", "CONSOLE_FUNCTION")
    assert tuple(found.get(name) for name in names) == PINS[board]


@pytest.mark.parametrize("board", [name for name, family in flashable.BOARDS.items() if family != "nrf52"])
def test_the_pll_makes_the_platforms_clock(board: str) -> None:
    platform = platforms.load(board)
    family = flashable.BOARDS[board]
    found = constants(FOLDER / f"{family}.c", FOLDER / f"{board}.h")
    if family == "rp2040":
        made = found["XOSC_HZ"] * found["PLL_FEEDBACK"] / found["PLL_POST1"] / found["PLL_POST2"]
        assert 1 <= found["PLL_POST2"] <= found["PLL_POST1"] <= 7
        assert 750e6 <= found["XOSC_HZ"] * found["PLL_FEEDBACK"] <= 1600e6
    else:
        divider = found.get("PLL_P") if family in ("stm32f4", "stm32f7") else found["PLL_R"]
        assert found["HSI_HZ"] == 16_000_000
        reference = found["HSI_HZ"] / found["PLL_M"]
        made = reference * found["PLL_N"] / divider
        # What the reference manuals allow as the PLL's input.
        low, high = (0.95e6, 2.1e6) if family in ("stm32f4", "stm32f7") else (4e6, 16e6)
        assert low <= reference <= high
    assert made == platform.clock_hz


@pytest.mark.parametrize("board", [name for name in flashable.BOARDS if name.startswith("stm32")])
def test_wait_states_are_what_the_clock_needs(board: str) -> None:
    """The reference manuals, at 2.7 V and more and the highest core voltage: the clock that each wait state adds."""
    steps = {"stm32l496": 16e6, "stm32l4r5": 20e6, "stm32f4": 30e6, "stm32f7": 30e6, "stm32u5": 32e6}
    (step,) = (step for start, step in steps.items() if board.startswith(start))
    platform = platforms.load(board)
    assert platform.wait_states == -(-platform.clock_hz // step) - 1


def test_a_polled_wait_ends() -> None:
    """No loop of the boards' code waits for hardware without a bound, but for a byte and the reset at the very end."""
    for path in FOLDER.glob("*.c"):
        for condition in re.findall(r"while \((.*)\) \{", path.read_text()):
            assert condition in ("hal_read() < 0", "rounds != before"), f"{path.name}: while ({condition})"

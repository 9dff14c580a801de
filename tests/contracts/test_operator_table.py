"""The operators that the firmware has are those that the catalogue accepts, in both kernel sets and on the host."""

from __future__ import annotations

import re

from harness.operators import CATALOGUE
from harness.paths import data_folder

FIRMWARE = data_folder("firmware")
STOCK = re.findall(r"^HARNESS_STOCK_OP\((\w+)\)$", (FIRMWARE / "kernels" / "op_list.h").read_text(), re.MULTILINE)


def own() -> dict[str, list[str]]:
    """Names of the table's other entries: in each kernel set, and those that both share."""
    table = re.sub(r"#define.*?[^\\]\n", "", (FIRMWARE / "kernels" / "ops.cc").read_text(), flags=re.DOTALL)
    parts = re.fullmatch(r"(.*)#ifdef HARNESS_CMSIS_NN\n(.*)#else\n(.*)#endif\n(.*)", table, re.DOTALL)
    assert parts is not None
    first, cmsis_nn, reference, last = (
        re.findall(r"^HARNESS_OP\((\w+),", part, re.MULTILINE) for part in parts.groups()
    )
    return {"cmsis-nn": cmsis_nn, "reference": reference, "shared": first + last}


OWN = own()


def test_both_kernel_sets_have_the_catalogues_operators_once() -> None:
    for kernels in ("cmsis-nn", "reference"):
        assert sorted(STOCK + OWN["shared"] + OWN[kernels]) == sorted(CATALOGUE), kernels


def test_the_host_links_all_of_them() -> None:
    native = (FIRMWARE / "targets" / "native" / "native.cc").read_text()
    assert native.count('#include "op_list.h"') == 2
    assert sorted(re.findall(r"&harness_op_([A-Z0-9_]+),", native)) == sorted(OWN["shared"] + OWN["reference"])


def test_each_registration_is_of_its_own_name() -> None:
    table = (FIRMWARE / "kernels" / "ops.cc").read_text()
    entries = re.findall(r"^HARNESS_OP\((\w+), ([\w:]+),", table, re.MULTILINE)
    assert len(entries) == len(OWN["shared"]) + len(OWN["cmsis-nn"]) + len(OWN["reference"])
    for name, registration in entries:
        assert registration.endswith(f"::Register_{name}")

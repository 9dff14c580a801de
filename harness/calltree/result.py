"""The tree of calls and the deepest stack of a run, as a result stores them: counts measured, frames derived."""

from __future__ import annotations

from harness.records import Record


class CallNode(Record, frozen=True):
    """A function in the place where it is called: ``function`` is its number in ``CallsPart.functions``.

    ``parent`` is the number of its caller in the same tree, None of the root. ``calls`` are entries from there, by a
    jump, too, and 0 of the root, which was entered before; ``inclusive`` are the executed instructions with those of
    all that it calls there, ``exclusive`` its own. ``function`` None: small subtrees of the same caller, put together;
    their instructions are all ``exclusive``.
    """

    function: int | None
    parent: int | None
    calls: int
    inclusive: int
    exclusive: int


class LayerCalls(Record, frozen=True):
    """The calls while one operator ran: ``index`` is the layer's, None: around the operators, the overhead.

    ``nodes`` come after their callers, the root first. Its ``inclusive``, and the sum of all that is ``exclusive``, are
    the layer's instructions, exactly. The root is the function that calls the operator's Eval. ``stack`` is the deepest
    stack of all that ran there, in bytes from its top, derived as ``StackPath`` says; None where the code of something
    that ran there does not tell.
    """

    index: int | None
    nodes: tuple[CallNode, ...]
    stack: int | None


class StackFrame(Record, frozen=True):
    """A function on the stack, and the bytes that it holds there while it calls the next one; of the last one, the
    most that it holds at all. ``bytes`` None: its code does not tell, for the ``reason``.
    """

    function: str
    bytes: int | None
    reason: str | None


class StackPath(Record, frozen=True):
    """The functions on the stack where it was deepest, outermost first.

    Frames are derived: along each path of calls that was measured, from what the executed code does to the stack
    pointer. ``bytes`` is their sum, ``measured`` the high-water mark that the firmware found on its painted stack. It
    cannot see what a function holds and never writes at the bottom, so ``bytes`` is a little larger; ``note`` says what
    that, or a frame that is not known, comes to. ``segment`` is when it was deepest first, named as in
    ``MarksPart.sequence``: "setup" is everything up to the inference. Interrupts are none of it: none ran.
    """

    frames: tuple[StackFrame, ...]
    bytes: int
    measured: int
    segment: str
    note: str | None


class CallsPart(Record, frozen=True):
    """What ``--calls`` adds to a run: the tree of calls of each layer and of the overhead, the deepest stack.

    It comes from a second start of the same firmware on QEMU, under the plugin that follows calls; its counts equal
    those of the first start in every segment, or the run fails. ``deepest`` is None where exceptions ran, which take
    stack at any time. ``counter`` names the plugin.
    """

    functions: tuple[str, ...]
    layers: tuple[LayerCalls, ...]
    overhead: LayerCalls
    deepest: StackPath | None
    counter: str

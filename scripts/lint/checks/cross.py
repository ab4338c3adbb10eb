"""What only a comparison of vectors shows: where C receives the vector and the code, and whose
frame has another shape than the others'."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from lint.architecture import ARGUMENTS
from lint.checks.finding import Finding
from lint.checks.rules import RULES
from lint.engine.trace import Call, Trace
from lint.engine.values import STACK_BASE, STACK_SIZE

# A place counts as the vector's if it holds the right number for so many of those who call.
ENOUGH_VECTORS = 3
ENOUGH_SHARE = 0.75
REACH = 0x180  # bytes above a pointer that are searched

Place = tuple[str, int]  # a register's name and -1, or what it points to and an offset
Group = list[tuple[Trace, Call]]

# What C can reach through each register that may point to the stack.
POINTED_AT: dict[str, list[Place]] = {
    name: [(name, offset) for offset in range(0, REACH, 8)] for name in (*ARGUMENTS[:4], "rsp")
}

# IRQ stubs hand out the vector or the line: the vector minus that of the first line.
BIASES = (0, 32)


def calls_by_callee(traces: list[Trace]) -> list[Group]:
    """Return the calls of all @traces, those of the same function together."""
    groups: dict[object, Group] = defaultdict(list)
    for trace in traces:
        for call in trace.calls:
            key = call.callee.address
            groups[call.moment.pc if key is None else key].append((trace, call))
    return list(groups.values())


def _points_to_stack(trace: Trace, value: int) -> bool:
    return STACK_BASE <= value <= trace.frame_address < STACK_BASE + STACK_SIZE


def frame_distance(trace: Trace, call: Call) -> tuple[str, int] | None:
    """Return by what C reaches the frame and how far below rip that lies."""
    for name in ARGUMENTS[:4]:
        value = call.moment.registers[name]
        if _points_to_stack(trace, value):
            return name, trace.frame_address - value
    distance = trace.frame_address - call.moment.rsp
    return ("rsp", distance) if 0 <= distance < REACH else None


def frame_shifts(traces: list[Trace]) -> dict[tuple[int, bool], int]:
    """Return by vector and code how many bytes C's frame is longer than with most vectors."""
    shifts: dict[tuple[int, bool], int] = {}
    for group in calls_by_callee(traces):
        found = defaultdict(list)
        for trace, call in group:
            distance = frame_distance(trace, call)
            # Each stub's own call may have its own stack; the stack of one call is the same.
            if distance and (distance[0] != "rsp" or len({c.moment.pc for _, c in group}) == 1):
                found[distance[0]].append((trace, distance[1]))
        for distances in found.values():
            vectors: dict[int, set[int]] = defaultdict(set)
            for trace, distance in distances:
                vectors[distance].add(trace.entry.vector)
            usual = max(vectors, key=lambda distance: len(vectors[distance]))
            for trace, distance in distances:
                if distance != usual and len(vectors[usual]) > len(vectors[distance]):
                    key = (trace.entry.vector, trace.variant.has_code)
                    shifts.setdefault(key, distance - usual)
    return shifts


def _places(trace: Trace, call: Call) -> dict[Place, int]:
    """Return every place that C can reach, and the number in it."""
    moment = call.moment
    found = {(name, -1): moment.registers[name] & 0xFFFFFFFF for name in ARGUMENTS}
    for name, slots in POINTED_AT.items():
        base = moment.registers[name]
        if _points_to_stack(trace, base):
            below_top = (trace.values.top - base + 7) // 8
            found.update(zip(slots, moment.words(base, min(len(slots), below_top))))
    return found


def _number_in(place: Place, trace: Trace, call: Call) -> int | None:
    """Return the number in @place, None if C cannot reach it."""
    name, offset = place
    value = call.moment.registers[name]
    if offset < 0:
        return value & 0xFFFFFFFF
    is_reached = _points_to_stack(trace, value) and value + offset < trace.values.top
    return call.moment.word(value + offset) if is_reached else None


def _is_low_byte(value: int, vector: int, bias: int) -> bool:
    return vector >= bias and value & 0xFF == vector - bias


def find_vector_place(group: Group) -> tuple[Place, int] | None:
    """Return where the callee of @group receives the vector, and what is taken off it first."""
    vectors = {trace.entry.vector for trace, _ in group if trace.entry.known}
    enough = max(ENOUGH_VECTORS, ENOUGH_SHARE * len(vectors))
    if len(vectors) < ENOUGH_VECTORS:
        return None
    seen = [(trace.entry.vector, _places(trace, call)) for trace, call in group]
    hits: dict[tuple[Place, int], set[int]] = defaultdict(set)
    for vector, places in seen:
        biases = {vector - bias: bias for bias in BIASES if vector >= bias}
        for place, value in places.items():
            bias = biases.get(value & 0xFF)
            if bias is not None:
                hits[place, bias].add(vector)
    sure: dict[tuple[Place, int], set[int]] = {}
    exact: Counter[tuple[Place, int]] = Counter()
    for (place, bias), found in hits.items():
        if len(found) < enough:
            continue
        values = [(vector, places[place]) for vector, places in seen if place in places]
        misses = {vector for vector, value in values if not _is_low_byte(value, vector, bias)}
        sure[place, bias] = found - misses
        exact[place, bias] = sum(value == vector - bias for vector, value in values)
    best = max(sure, key=lambda key: (len(sure[key]), exact[key], key[1] == 0), default=None)
    return best if best is not None and len(sure[best]) >= enough else None


def check_vectors(
    traces: list[Trace], shifts: dict[tuple[int, bool], int]
) -> Iterator[Finding]:
    """Yield findings on the vector that C receives."""
    for group in calls_by_callee(traces):
        where = find_vector_place(group)
        if where is None:
            continue
        place, bias = where
        for trace, call in group:
            if shifts.get((trace.entry.vector, trace.variant.has_code)):
                continue  # said already, and better
            value = _number_in(place, trace, call)
            due = trace.entry.vector - bias
            if not trace.entry.known or value is None or value & 0xFFFFFFFF == due & 0xFFFFFFFF:
                continue
            signed = due > 127 and value & 0xFFFFFFFF == (due - 256) & 0xFFFFFFFF
            rule = "vector-sign-extended" if signed else "vector-wrong"
            shown = "the vector minus 256" if signed else _vector_in_words(value)
            yield at_call(
                rule, trace, call, f"{call.callee.name} receives {shown} in {in_words(place)}"
            )


def _vector_in_words(value: int) -> str:
    return f"vector {value}" if value < 256 else "what is no vector"


def in_words(place: Place) -> str:
    """Return such as "rdi" or "[rdi + 0x78]"."""
    name, offset = place
    return name if offset < 0 else f"[{name} + {offset:#x}]"


def check_codes(traces: list[Trace], shifts: dict[tuple[int, bool], int]) -> Iterator[Finding]:
    """Yield findings on the error code that C receives."""
    for group in calls_by_callee(traces):
        with_code = [
            (trace, call)
            for trace, call in group
            if trace.variant.has_code and not shifts.get((trace.entry.vector, True))
        ]
        for trace, call in with_code:
            if _overwrites_code(trace, call):
                yield at_call(
                    "code-wrong",
                    trace,
                    call,
                    f"{call.callee.name} does not receive the error code: a store has"
                    " overwritten it",
                )
        with_code = [pair for pair in with_code if not _overwrites_code(*pair)]
        places: dict[Place, set[int]] = defaultdict(set)
        for trace, call in with_code:
            for place, value in _places(trace, call).items():
                if value & 0xFFFFFFFF == trace.values.code:
                    places[place].add(trace.entry.vector)
        vectors = {trace.entry.vector for trace, _ in with_code}
        if len(vectors) < ENOUGH_VECTORS or not places:
            continue
        best = max(places, key=lambda place: (len(places[place]), place[1] < 0))
        if len(places[best]) < ENOUGH_SHARE * len(vectors):
            continue
        for trace, call in with_code:
            if trace.entry.vector not in places[best]:
                yield at_call(
                    "code-wrong",
                    trace,
                    call,
                    f"{call.callee.name} does not receive the error code in {in_words(best)}",
                )


def _overwrites_code(trace: Trace, call: Call) -> bool:
    """Whether the stub stores something else in the place of the error code, and keeps no copy.
    A push there, after the code has been dropped, is another matter: nobody wanted it."""
    code = trace.values.code
    kept = {*_places(trace, call).values(), *(write.value for write in trace.writes)}
    return code not in kept and any(
        write.address == trace.entry_rsp >= write.rsp and write.position <= call.moment.position
        for write in trace.writes
    )


def check_shapes(traces: list[Trace], shifts: dict[tuple[int, bool], int]) -> Iterator[Finding]:
    """Yield findings on frames that reach C in another shape than the others'."""
    for trace in traces:
        shift = shifts.get((trace.entry.vector, trace.variant.has_code))
        if not shift or not trace.calls:
            continue
        call = trace.calls[0]
        rule = "frame-shifted"
        if not trace.variant.has_code and shift == -8:
            rule = "dummy-code-missing"
        elif trace.variant.has_code and shift == 8:
            rule = "dummy-code-extra"
        yield at_call(
            rule,
            trace,
            call,
            f"{call.callee.name} receives a frame that is {abs(shift)} bytes"
            f" {'longer' if shift > 0 else 'shorter'} than other vectors'",
        )


def at_call(rule: str, trace: Trace, call: Call, seen: str) -> Finding:
    """Return the finding that @call is made with what breaks @rule."""
    return Finding(
        rule,
        RULES[rule].severity,
        trace.entry.vector,
        seen,
        RULES[rule].duty,
        trace.entry.name,
        call.moment.pc,
        call.moment,
        trace,
    )

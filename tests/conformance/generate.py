#!/usr/bin/env python3
"""Makes up programs for the oracle and the runner.

usage: generate.py SEED [COUNT]   COUNT programs (1), one for each seed from SEED on

A program is named after its seed, and the same seed gives the same program. Each program ends: a
script starts only scripts that come after it, and programs that could do too much are thrown away.

What makes a program worth running is that things happen at once. So each has a mood of its own: it
draws most ops from a few families, few names (so that tasks meet at the same lock), and times from
a set that is either small (many timers are due together) or wide.
"""

import json
import random
import sys

MOST_OPS = 700  # run by a whole program
DEEPEST = 4

# The weights of the ops of each family.
FAMILIES = {
    "time": {"sleep": 14, "timeout": 5, "wait_for": 3, "wait_for_var": 2},
    "cancel": {"cancel": 8, "cancel_msg": 3, "cancel_self": 3, "uncancel": 3, "cancelling": 3,
               "shield": 3, "state": 2, "await": 3},
    "tasks": {"spawn": 14, "await": 7, "call": 2, "state": 2, "shield": 3, "all_tasks": 1},
    "many": {"gather": 4, "gather_vars": 4, "wait": 4, "as_completed": 2, "wait_for_var": 2},
    "group": {"group": 10, "raise": 1, "cancel_self": 1, "uncancel": 1},
    "locks": {"lock": 6, "semaphore": 6, "timeout": 1},
    "signals": {"event_wait": 4, "event_set": 4, "event_clear": 1, "condition_wait": 5,
                "condition_notify": 5, "barrier": 5},
    "queues": {"put": 6, "get": 6, "put_nowait": 2, "get_nowait": 2, "task_done": 4, "join": 3,
               "shutdown": 1},
    "futures": {"future": 6, "set_result": 3, "set_error": 2, "set_later": 4, "on_done": 3,
                "await": 3, "cancel": 2},
    "callbacks": {"call_soon": 4, "call_later": 5, "cancel_handle": 3, "on_done": 2},
    "control": {"try": 12, "raise": 1, "return": 0.7, "log": 3, "repeat": 1, "guard": 0.5},
}
# How much of a family there is in a mood that is not about it.
BACKGROUND = {"time": 0.6, "control": 0.5, "cancel": 0.2, "tasks": 0.4}
ELSEWHERE = 0.02

TIMES = {"still": [0], "narrow": [0, 0, 1, 2], "wide": [0, 0, 1, 2, 3, 4, 5, 8, 13, 21, 34]}
TASKS = ["v0", "v1", "v2", "v3", "v4", "v5"]
FUTURES = ["f", "g", "h"]
QUEUES = [("q", 1, "fifo"), ("r", 2, "fifo"), ("u", 0, "fifo"), ("l", 0, "lifo"),
          ("m", 1, "lifo"), ("p", 0, "priority"), ("s", 2, "priority")]

# The arguments of each op, by its author. An op that starts scripts or has a body is not written
# where no script is left or the bodies are deep enough.
ARGUMENTS = {
    "log": lambda author: [author.letter()],
    "sleep": lambda author: [author.time()],
    "return": lambda author: [author.value()],
    "raise": lambda author: author.error(),
    "repeat": lambda author: [author.number(1, 3), author.body(1, 2)],
    "try": lambda author: [author.body(1, 4), author.pick(["all", "all", "error", "error", "none"]),
                           author.body(1, 2) if author.chance(0.25) else []],
    "call": lambda author: [author.script()],

    "spawn": lambda author: [author.script(), author.pick(author.tasks)],
    "await": lambda author: [author.variable()],
    "cancel": lambda author: [author.variable()],
    "cancel_msg": lambda author: [author.variable(), author.pick(["m1", "m2", ""])],
    "cancel_self": lambda author: [],
    "uncancel": lambda author: [],
    "cancelling": lambda author: [],
    "state": lambda author: [author.variable()],
    "all_tasks": lambda author: [],

    "gather": lambda author: [author.several(author.script, 0), author.chance(0.5)],
    "gather_vars": lambda author: [author.several(author.variable), author.chance(0.5)],
    "wait": lambda author: [author.several(author.variable), author.time_or_none(),
                            author.pick(["all", "first", "exception"])],
    "as_completed": lambda author: [author.several(author.script), author.time_or_none()],
    "group": lambda author: [author.several(author.script, 0), author.body(0, 2)],

    "timeout": lambda author: [author.time_or_none(), author.body(0, 3)],
    "wait_for": lambda author: [author.script(), author.time_or_none()],
    "wait_for_var": lambda author: [author.variable(), author.time_or_none()],
    "shield": lambda author: [author.variable()],

    "future": lambda author: [author.pick(FUTURES)],
    "set_result": lambda author: [author.variable(), author.value()],
    "set_error": lambda author: [author.variable(), *author.error()],
    "set_later": lambda author: [author.time(), author.variable(), author.digit()],
    "on_done": lambda author: [author.variable(), author.letter()],
    "call_soon": lambda author: [author.letter(), author.handle()],
    "call_later": lambda author: [author.time(), author.letter(), author.handle()],
    "cancel_handle": lambda author: [author.handle()],

    "lock": lambda author: [author.thing(), author.body(0, 3)],
    "semaphore": lambda author: [author.thing(), author.permits, author.body(0, 3)],
    "event_wait": lambda author: [author.thing()],
    "event_set": lambda author: [author.thing()],
    "event_clear": lambda author: [author.thing()],
    "condition_wait": lambda author: [author.thing()],
    "condition_notify": lambda author: [author.thing(), author.number(0, 3)],
    "barrier": lambda author: [author.thing(), author.parties],

    "put": lambda author: [*author.pick(author.queues), author.digit()],
    "get": lambda author: [*author.pick(author.queues)],
    "put_nowait": lambda author: [*author.pick(author.queues), author.digit()],
    "get_nowait": lambda author: [*author.pick(author.queues)],
    "task_done": lambda author: [*author.pick(author.queues)],
    "join": lambda author: [*author.pick(author.queues)],
    "shutdown": lambda author: [*author.pick(author.queues), author.chance(0.4)],
}
START_SCRIPTS = {"call", "spawn", "gather", "as_completed", "group", "wait_for"}
HAVE_BODIES = {"repeat", "try", "group", "timeout", "lock", "semaphore"}
# The place of the variable in ops that must not meet one that is not set.
NEED_A_VARIABLE = {"await": 1, "wait_for_var": 1, "shield": 1, "set_result": 1, "set_error": 1,
                   "on_done": 1, "set_later": 2}


class Author:
    """Writes one program, from the numbers of one generator."""

    def __init__(self, generator):
        self.random = generator
        self.count = self.pick([2, 3, 3, 4, 5, 6, 7])
        self.choose_mood()

    def choose_mood(self):
        families = self.random.sample(sorted(FAMILIES), self.number(2, 4))
        self.weights = dict.fromkeys([*ARGUMENTS, "guard"], 0)
        for family, weights in FAMILIES.items():
            factor = 1 if family in families else BACKGROUND.get(family, ELSEWHERE)
            for name, weight in weights.items():
                self.weights[name] += weight * factor
        self.times = TIMES[self.random.choices(["still", "narrow", "wide"], [1, 3, 4])[0]]
        self.tasks = TASKS[:self.number(2, len(TASKS))]
        self.queues = self.random.sample(QUEUES, self.number(1, 3))
        self.parties = self.pick([1, 2, 2, 2, 3])
        self.permits = self.pick([1, 1, 2, 2, 3])
        self.deepest = self.number(1, DEEPEST)

    def program(self):
        scripts = []
        for self.index in range(self.count):
            self.depth = 0
            scripts.append(self.ops(1, 7) if self.index else self.main())
        return scripts

    def main(self):
        """Starts others, mostly survives what it meets then, and mostly gives the others time."""
        ops = [self.op({"spawn": 8, "sleep": 2, "future": 1}) for _ in range(self.number(2, 7))]
        for _ in range(self.number(1, 4)):
            ops += [["try", self.body(1, 4), "all", []]] if self.chance(0.7) else self.ops(1, 2)
        return ops + ([["sleep", self.pick([*self.times, 60, 200])]] if self.chance(0.8) else [])

    def ops(self, fewest, most):
        return [self.op(self.weights) for _ in range(self.number(fewest, most))]

    def op(self, weights):
        while True:
            name = self.random.choices(list(weights), list(weights.values()))[0]
            if name in START_SCRIPTS and self.index + 1 == self.count:
                continue
            if name in HAVE_BODIES and self.depth == self.deepest:
                continue
            if name == "guard":
                return ["guard", self.variable(), ["log", self.letter()]]
            op = [name, *ARGUMENTS[name](self)]
            return ["guard", op[NEED_A_VARIABLE[name]], op] if name in NEED_A_VARIABLE else op

    def body(self, fewest, most):
        self.depth += 1
        ops = self.ops(fewest, most)
        self.depth -= 1
        return ops

    def chance(self, probability):
        return self.random.random() < probability

    def number(self, least, most):
        return self.random.randint(least, most)

    def pick(self, choices):
        return self.random.choice(choices)

    def several(self, make, fewest=1):
        """Mostly more than none."""
        return [make() for _ in range(self.number(fewest if self.chance(0.2) else 1, 3))]

    def time(self):
        return self.pick(self.times)

    def time_or_none(self):
        return None if self.chance(0.2) else self.time() + self.pick([0, 0, 0, 1, 1, -1])

    def variable(self):
        return self.pick(self.tasks if self.chance(0.8) else FUTURES)

    def script(self):
        return self.number(self.index + 1, self.count - 1)

    def thing(self):
        return self.pick("AB")

    def handle(self):
        return self.pick("xyz")

    def digit(self):
        return self.number(0, 9)

    def value(self):
        return self.digit() if self.chance(0.8) else self.pick([None, True, False, "w", -1])

    def letter(self):
        return self.pick("abcdefgh")

    def error(self):
        return [self.pick(["Boom", "Bang"]), self.pick("xyz")]


def most_ops(scripts):
    """The number of ops that a program runs if it stops nowhere."""
    costs = {}

    def cost_of(ops):
        cost = 0
        for name, *arguments in ops:
            cost += 1
            match name, arguments:
                case "guard", [_, op]:
                    cost += cost_of([op])
                case "try", [body, _, final]:
                    cost += cost_of(body) + cost_of(final)
                case "repeat", [times, body]:
                    cost += times * cost_of(body)
                case ("timeout" | "lock" | "semaphore"), [*_, body]:
                    cost += cost_of(body)
                case "group", [indexes, body]:
                    cost += cost_of(body) + sum(costs[index] for index in indexes)
                case ("gather" | "as_completed"), [indexes, _]:
                    cost += sum(costs[index] for index in indexes)
                case ("call" | "spawn" | "wait_for"), [index, *_]:
                    cost += costs[index]
        return cost

    for index, ops in reversed(list(enumerate(scripts))):
        costs[index] = cost_of(ops)
    return costs[0]


def program_of(seed):
    generator = random.Random(seed)
    while True:
        scripts = Author(generator).program()
        if most_ops(scripts) <= MOST_OPS:
            return {"name": f"seed-{seed}", "scripts": scripts}


def main(arguments):
    if not 1 <= len(arguments) <= 2 or not all(argument.isdigit() for argument in arguments):
        sys.exit(__doc__)
    first, count = map(int, [*arguments, "1"][:2])
    for seed in range(first, first + count):
        print(json.dumps(program_of(seed)))


if __name__ == "__main__":
    main(sys.argv[1:])

"""A sample of the mutants of the interrupt path, always the same one: `make mutate` tries all, and
the equivalents too."""

from __future__ import annotations

import os
import random

import pytest

import mutants
import mutate
from museum.bugs import Tree
from mutants import Mutant

EVERY = mutants.mutants()
EQUIVALENTS = mutants.equivalents()
WRONG = [mutant for mutant in EVERY if mutant.name not in EQUIVALENTS]
SEED = 1
# Those of C take a boot each.
SAMPLE = [
    mutant
    for is_c, size in ((False, 36), (True, 6))
    for mutant in random.Random(SEED).sample([m for m in WRONG if m.is_c == is_c], size)
]


@pytest.fixture(scope="session")
def tree() -> Tree:
    """A worker's own copy of the tree."""
    return mutate.sound_tree(os.environ.get("PYTEST_XDIST_WORKER", "main"))


@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda m: m.name)
def test_it_is_killed(mutant: Mutant, tree: Tree) -> None:
    killer, _ = mutate.kill(tree, mutant)
    assert killer, "it survives"


def test_every_equivalent_is_one_of_the_mutants() -> None:
    assert EQUIVALENTS.keys() - {mutant.name for mutant in EVERY} == set()

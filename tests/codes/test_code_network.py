"""The network: it cannot see ahead, padding changes nothing, old weights give old numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from code_data import OldNetwork, write_old_checkpoint
from torch import nn

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.pipelines.codes.model import embed_sequences, load_model
from robovalue_ros.segment.codes.network import NetworkShape, SequenceNetwork, new_network
from robovalue_ros.segment.codes.sequences import CodeSequence, padded_tokens
from robovalue_ros.training.code_options import CodeTraining
from robovalue_ros.training.code_sequences import SequenceTrainer

SMALL = NetworkShape(9, 6, 7)


def small(cell: str = "lstm") -> SequenceNetwork:
    shape = NetworkShape(9, 6, 7, 2, cell)
    return new_network(shape, torch.Generator().manual_seed(1)).eval()


def tokens_of(*rows: list[int], length: int = 12) -> torch.Tensor:
    return torch.from_numpy(padded_tokens([np.array(row) for row in rows], length))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_is_held_depends_on_the_past_alone(cell: str) -> None:
    network = small(cell)
    first, second = tokens_of([1, 2, 3, 4], [1, 2, 7, 0])
    held = network(torch.stack([first, second]))
    assert torch.equal(held[0, :2], held[1, :2])
    assert not torch.allclose(held[0, 2], held[1, 2])


def test_padding_and_neighbours_in_a_batch_change_nothing() -> None:
    network = small()
    short, long = [3, 1, 4], list(range(8))
    alone = network.vectors(tokens_of(short, length=3))
    together = network.vectors(tokens_of(short, long, length=40))
    assert torch.allclose(alone[0], together[0], atol=1e-6)
    assert torch.equal(network.embedding.weight[0], torch.zeros(6))
    loss, count = network.next_token_loss(tokens_of(short, long, length=40))
    apart = [network.next_token_loss(tokens_of(row)) for row in (short, long)]
    assert count == sum(n for _, n in apart) == 9
    total = sum(float(part.detach()) for part, _ in apart)
    assert float(loss.detach()) == pytest.approx(total, rel=1e-5)


def test_weights_and_dropout_come_from_the_generator_alone() -> None:
    torch.manual_seed(0)
    first = small()
    torch.manual_seed(99)
    second = small()
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    tokens = tokens_of([1, 2, 3])
    draws = [first(tokens, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
def test_an_old_checkpoint_gives_its_old_vectors(
    tmp_path: Path, kind: type[nn.RNNBase], both: bool, layers: int
) -> None:
    torch.manual_seed(3)
    old = OldNetwork(kind, 9, both, layers).eval()
    path = tmp_path / "model_best.pt"
    write_old_checkpoint(path, old, 10)
    model = load_model(path)
    assert model.max_len == 10 and model.labels == ("a", "b")
    assert model.network.shape.bidirectional is both
    rows = [[1, 2, 3], [4, 5, 6, 7, 0, 1], list(range(8)) * 2]
    sequences = [CodeSequence(str(n), np.array(row)) for n, row in enumerate(rows)]
    found = embed_sequences(model, sequences, 10, 2, lambda _: None)
    # The old program padded every batch to max_len, which a backward direction reads.
    expected = old.vectors(tokens_of(*rows, length=10)).detach().numpy()
    assert np.allclose(found, expected, atol=1e-6)
    normed = embed_sequences(model, sequences, 10, 2, lambda _: None, l2=True)
    assert np.allclose(np.linalg.norm(normed, axis=1), 1)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    old = OldNetwork(nn.LSTM, 9, True, 2)
    path = tmp_path / "model_best.pt"
    for change in ("missing", "twice", "unknown", "shape"):
        weights = old.state_dict()
        if change == "missing":
            del weights["core.bias_hh_l1_reverse"]
        elif change == "twice":
            weights["more.weight"] = weights["tok.weight"]
        elif change == "unknown":
            weights["scale"] = torch.ones(1)
        else:
            weights["core.weight_ih_l1"] = torch.ones(20, 3)
        torch.save({"state_dict": weights}, path)
        with pytest.raises(DataError, match=str(path)):
            load_model(path)
    torch.save({"weights": {}}, path)
    with pytest.raises(DataError, match="no state_dict"):
        load_model(path)
    torch.save({"state_dict": old.state_dict(), "config": Path("x")}, path)
    with pytest.raises(DataError, match="not loaded"):
        load_model(path)
    with pytest.raises(DataError, match="not there"):
        load_model(tmp_path / "nothing.safetensors")


def trainer(epochs: int = 40, patience: int = 3, val: bool = True) -> SequenceTrainer:
    rows = tokens_of(*[[1, 2, 3, 4] * 2] * 6, *[[7, 7, 7, 5]] * 6)
    judges = tokens_of([5, 0, 6, 2, 2]) if val else rows[:0]
    options = CodeTraining(epochs=epochs, batch_size=4, lr=0.05, patience=patience, weight_decay=0)
    generator = torch.Generator().manual_seed(0)
    network = new_network(SMALL, generator)
    return SequenceTrainer(network, rows, judges, torch.ones(12).double(), options, generator)


def test_the_best_weights_are_a_copy_of_the_best_epoch() -> None:
    running = trainer()
    seen = []
    while not running.finished:
        seen.append(running.run_epoch().judged.loss)
    # What judges shares nothing with what trains, so going on makes it worse.
    assert running.epoch == running.best_epoch + 3 and running.best_epoch < 10
    assert running.best_loss == min(seen)
    running.network.load_state_dict(running.best)
    judged = running.judge(tokens_of([5, 0, 6, 2, 2]))
    assert judged is not None and judged.loss == pytest.approx(running.best_loss, abs=1e-6)


def test_without_judges_training_decides_and_it_learns() -> None:
    running = trainer(epochs=25, val=False)
    losses = []
    while not running.finished:
        epoch = running.run_epoch()
        losses.append(epoch.judged.loss)
        assert epoch.val is None
    assert losses[-1] < 0.1 * losses[0]


def test_a_state_that_is_restored_goes_on_as_if_nothing_had_happened() -> None:
    straight = trainer(epochs=5, patience=5)
    while not straight.finished:
        straight.run_epoch()
    first, second = trainer(epochs=5, patience=5), trainer(epochs=5, patience=5)
    for _ in range(2):
        first.run_epoch()
    second.restore(*first.state())
    while not second.finished:
        second.run_epoch()
    assert second.history == straight.history and second.best_epoch == straight.best_epoch
    for name, value in straight.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name])

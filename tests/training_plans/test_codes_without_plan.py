"""Code sequences without a plan are learned as they always were."""

from __future__ import annotations

import torch

from robovalue_ros.segment.codes.network import NetworkShape, SequenceNetwork, new_network
from robovalue_ros.training.code_options import CodeTraining
from robovalue_ros.training.code_sequences import SequenceTrainer


def network(generator: torch.Generator) -> SequenceNetwork:
    return new_network(NetworkShape(9, 8, 12, 1, "lstm", False), generator, 0.1)


def test_without_a_plan_the_weights_are_those_of_a_plain_loop() -> None:
    tokens = torch.randint(1, 9, (11, 6), generator=torch.Generator().manual_seed(2))
    weights = torch.linspace(0.5, 2.0, 11, dtype=torch.float64)
    options = CodeTraining(epochs=3, batch_size=4)
    one = torch.Generator().manual_seed(4)
    trainer = SequenceTrainer(network(one), tokens, tokens[:0], weights, options, one)
    while not trainer.finished:
        trainer.run_epoch()
    assert trainer.epoch == 3 and trainer.step == 9

    other = torch.Generator().manual_seed(4)
    plain = network(other)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-3, weight_decay=1e-4)
    for _ in range(3):
        drawn = torch.multinomial(weights, 11, replacement=True, generator=other)
        plain.train()
        for rows in torch.split(drawn, 4):
            loss, count = plain.next_token_loss(tokens[rows], other)
            optimizer.zero_grad(set_to_none=True)
            (loss / count).backward()
            torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
            optimizer.step()
    for name, value in plain.state_dict().items():
        assert torch.equal(trainer.network.state_dict()[name], value), name

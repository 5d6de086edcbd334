"""A network of the size of two numbers with the call of the published tracker."""

import torch


class Drift(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.way = torch.nn.Parameter(torch.zeros(2))


class Predictor(torch.nn.Module):
    """video (B, T, 3, H, W) in 0..255, queries (B, N, 3) as (frame, x, y)."""

    def __init__(self):
        super().__init__()
        self.model = Drift()

    def forward(self, video, queries):
        height, width = video.shape[-2:]
        steps = torch.arange(video.shape[1]).view(1, -1, 1, 1)
        tracks = queries[:, None, :, 1:] + steps * self.model.way
        inside = (tracks >= 0).all(-1) & (tracks[..., 0] < width) & (tracks[..., 1] < height)
        return tracks, inside


def constant_drift(pretrained=True):
    if pretrained:
        raise RuntimeError("this repository downloads nothing")
    return Predictor()

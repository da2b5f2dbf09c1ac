import copy

import torch as th
from modules.mixers.qmix import QMixer
from modules.mixers.vdn import VDNMixer
from torch.optim import RMSprop


class QLearner:
    """QMIX and VDN, one-step targets with double Q: what the parity probe measures."""

    factor, td_lambda = 1.0, 0.0

    def __init__(self, mac, scheme, logger, args):
        self.args, self.mac, self.logger = args, mac, logger
        if args.mixer == "vdn":
            self.mixer = VDNMixer()
        elif args.mixer == "qmix":
            self.mixer = QMixer(args)
        params = self.params = [*mac.parameters(), *self.mixer.parameters()]
        self.optimiser = RMSprop(
            params=params, lr=args.lr, alpha=args.optim_alpha, eps=args.optim_eps
        )
        self.target_mac, self.target_mixer = copy.deepcopy((mac, self.mixer))
        self.last_copied = self.updates = 0

    def unroll(self, mac, batch):
        mac.init_hidden(batch.batch_size)
        slots = range(batch.max_seq_length)
        return th.stack([mac.forward(batch, t=t) for t in slots], dim=1)

    def train(self, batch, t_env, episode_num):
        mask = batch["filled"][:, :-1].float()
        mask[:, 1:] *= 1 - batch["terminated"][:, :-2].float()
        q = self.unroll(self.mac, batch)
        taken = th.gather(q[:, :-1], 3, batch["actions"][:, :-1]).squeeze(3)
        q_tot = self.mixer(taken, batch["state"][:, :-1])
        with th.no_grad():
            target = self.target(batch, q, mask)
        loss = self.factor * ((q_tot - target) * mask).square().sum() / mask.sum()
        self.optimiser.zero_grad()
        loss.backward()
        norm = th.nn.utils.clip_grad_norm_(self.params, self.args.grad_norm_clip)
        self.optimiser.step()
        self.updates += 1
        self.follow(episode_num, self.args.target_update_interval)
        self.logger.log_stat("loss", loss.item(), t_env)
        self.logger.log_stat("grad_norm", norm.item(), t_env)

    def target(self, batch, q, mask):
        reward, end = self.rewards(batch), batch["terminated"][:, :-1].float()
        target_q = self.unroll(self.target_mac, batch)
        best = q.masked_fill(batch["avail_actions"] == 0, -1e8).argmax(3, keepdim=True)
        value = self.target_mixer(
            th.gather(target_q, 3, best).squeeze(3), batch["state"]
        )
        y, after = th.zeros_like(reward), value[:, -1]
        for t in reversed(range(reward.shape[1])):
            after = self.td_lambda * after + (1 - self.td_lambda) * value[:, t + 1]
            y[:, t] = reward[:, t] + self.args.gamma * (1 - end[:, t]) * after
            after = th.where(mask[:, t] > 0, y[:, t], value[:, t])
        return y

    def rewards(self, batch):
        return batch["reward"][:, :-1]

    def follow(self, counted, interval):
        """Copy to the targets each so many episodes."""
        if counted - self.last_copied >= interval:
            self.last_copied = counted
            self.target_mac.load_state(self.mac)
            self.target_mixer.load_state_dict(self.mixer.state_dict())

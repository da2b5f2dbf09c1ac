import torch as th
from modules.mixers.qmix import QMixer
from modules.mixers.vdn import VDNMixer
from torch.optim import RMSprop


class QLearner:
    """Pulls Q_tot towards the reward: enough for a host's own learner."""

    def __init__(self, mac, scheme, logger, args):
        self.args, self.mac, self.logger = args, mac, logger
        if args.mixer == "vdn":
            self.mixer = VDNMixer()
        elif args.mixer == "qmix":
            self.mixer = QMixer(args)
        params = [*mac.parameters(), *self.mixer.parameters()]
        self.optimiser = RMSprop(
            params=params, lr=args.lr, alpha=args.optim_alpha, eps=args.optim_eps
        )

    def train(self, batch, t_env, episode_num):
        self.mac.init_hidden(batch.batch_size)
        steps = range(batch.max_seq_length - 1)
        q = th.stack([self.mac.forward(batch, t=t) for t in steps], dim=1)
        q = th.gather(q, 3, batch["actions"][:, :-1]).squeeze(3)
        q_tot = self.mixer(q, batch["state"][:, :-1])
        loss = (q_tot - batch["reward"][:, :-1]).square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.logger.log_stat("loss", loss.item(), t_env)

from wqmix.host.components.episode_buffer import EpisodeBatch, ReplayBuffer

__all__ = ["EpisodeBatch", "ReplayBuffer"]

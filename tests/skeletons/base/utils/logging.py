from wqmix.host.utils.logging import Logger

__all__ = ["Logger"]

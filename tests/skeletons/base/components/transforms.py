from wqmix.host.components.transforms import OneHot

__all__ = ["OneHot"]

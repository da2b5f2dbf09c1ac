from wqmix.host.modules.mixers import vdn


class VDNMixer(vdn.VDNMixer):
    pass

from wqmix.host.modules.mixers import qmix


class QMixer(qmix.QMixer):
    pass

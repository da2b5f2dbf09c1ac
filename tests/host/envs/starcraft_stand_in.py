"""The game's process for the real `smac` package: a fight of marines, in protobuf.

What pysc2's run configuration gives: `start()`, a process whose `controller` answers
`create_game`, `observe`, `step` … with the messages of s2clientprotocol. Orders to move
and to attack are followed, the other side attacks whoever is nearest; whatever is dead
is no longer observed, and once all are killed, as at a restart, a new fight begins.
"""

from math import hypot

from s2clientprotocol import raw_pb2, sc2api_pb2

MARINE, MOVE, ATTACK = 48, 16, 23  # SMAC's ids of the orders
SIZE, HEALTH, RANGE, SPEED, DAMAGE = 32, 45.0, 5.0, 0.14, 0.4


class Game:
    """The run configuration, process and controller in one."""

    def __init__(self, allies=3, enemies=3):
        self.sides = {1: (allies, 9.0), 2: (enemies, 23.0)}
        self.controller, self.units, self.orders = self, {}, {}
        self.tag, self.closed, self.version = 0, False, None

    # The run configuration and the process

    def start(self, **window):
        return self

    def map_data(self, path):
        return b""

    def close(self):
        self.closed = True

    # The controller

    def create_game(self, request):
        assert isinstance(request, sc2api_pb2.RequestCreateGame)
        self._deploy()

    def join_game(self, request):
        assert request.options.raw

    def game_info(self):
        info = sc2api_pb2.ResponseGameInfo()
        raw = info.start_raw
        raw.map_size.x = raw.map_size.y = SIZE
        raw.playable_area.p1.x = raw.playable_area.p1.y = SIZE
        raw.pathing_grid.bits_per_pixel = 8
        raw.pathing_grid.data = bytes(SIZE * SIZE)  # 0: can be walked on
        raw.terrain_height.data = bytes(SIZE * SIZE)
        return info

    def observe(self):
        found = sc2api_pb2.ResponseObservation()
        found.observation.raw_data.units.extend(self.units.values())
        return found

    def debug(self, commands):
        for command in commands:
            for tag in command.kill_unit.tag:
                self.units.pop(tag, None)

    def actions(self, request):
        for action in request.actions:
            command = action.action_raw.unit_command
            for tag in command.unit_tags:
                self.orders[tag] = command

    def step(self, count):
        if not self.units:
            self._deploy()
            return
        for _ in range(count):
            for unit in list(self.units.values()):
                if unit.tag in self.units:
                    self._act(unit)

    # The fight

    def _deploy(self):
        self.units, self.orders = {}, {}
        for owner, (count, x) in self.sides.items():
            for i in range(count):
                self.tag += 1
                self.units[self.tag] = raw_pb2.Unit(
                    tag=self.tag,
                    owner=owner,
                    unit_type=MARINE,
                    health=HEALTH,
                    health_max=HEALTH,
                )
                self.units[self.tag].pos.x = x
                self.units[self.tag].pos.y = 15.0 + i

    def _act(self, unit):
        if unit.owner == 2:
            others = [other for other in self.units.values() if other.owner == 1]
            if others:
                self._attack(unit, min(others, key=lambda other: _far(unit, other)))
            return
        order = self.orders.get(unit.tag)
        if order is None:
            return
        if order.ability_id == ATTACK and order.target_unit_tag in self.units:
            self._attack(unit, self.units[order.target_unit_tag])
        elif order.ability_id == MOVE:
            self._walk(unit, order.target_world_space_pos)

    def _attack(self, unit, target):
        if _far(unit, target) > RANGE:
            self._walk(unit, target.pos)
            return
        target.health -= DAMAGE
        if target.health <= 0:
            del self.units[target.tag]

    def _walk(self, unit, place):
        dx, dy = place.x - unit.pos.x, place.y - unit.pos.y
        share = min(1.0, SPEED / max(1e-9, hypot(dx, dy)))
        unit.pos.x += share * dx
        unit.pos.y += share * dy


def _far(unit, other):
    return hypot(unit.pos.x - other.pos.x, unit.pos.y - other.pos.y)

"""Small tasks from mechanics that everybody measures with, by the rules of Gymnasium.

Each is a few formulas over ``m`` (``pellucid.rl.kinds``), so that the same lines play one
environment, many, or run inside of a compiled program.
"""

from __future__ import annotations

import math
from typing import Any

from pellucid.rl.environments import Simulated
from pellucid.rl.kinds import Number, Numbers


class CartPole(Simulated):
    """A pole stands on a cart; push the cart left (0) or right (1) so that it does not fall.

    A state holds the cart's position (m) and speed (m/s), the pole's angle (radians) and its speed
    (radians/s); all begin between −0.05 and 0.05.  Each step takes 0.02 s and gives reward 1.  An
    episode terminates when the pole leans more than 12° or the cart is more than 2.4 m away, and
    is truncated after ``limit`` steps: 500 in Gymnasium's CartPole-v1, 200 in CartPole-v0.

    Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve difficult learning
    control problems" (1983): gravity 9.8 m/s², cart 1 kg, pole 0.1 kg and 1 m long, force 10 N,
    integrated by Euler's rule.

    >>> cart = CartPole()
    >>> cart.reset(seed=0).shape, cart.step(1).reward
    ((4,), 1.0)
    """

    states, actions = 4, 2
    least, most = (-0.05,) * 4, (0.05,) * 4
    GRAVITY, CART, POLE, HALF_LENGTH, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
    FARTHEST, STEEPEST = 2.4, 12 * math.pi / 180

    def __init__(self, limit: int = 500) -> None:
        super().__init__(limit)

    def observe(self, m: Numbers, numbers: Any) -> Number:
        """Everything is shown."""
        return m.stack(numbers)

    def advance(self, m: Numbers, numbers: Any, action: Any) -> tuple[Any, Number, Number]:
        """Pushes for 0.02 s."""
        x, speed, angle, turning = numbers
        push = m.where(action == 1, self.FORCE, -self.FORCE)
        sine, cosine = m.sin(angle), m.cos(angle)
        mass, moment = self.CART + self.POLE, self.POLE * self.HALF_LENGTH
        pushed = (push + moment * turning**2 * sine) / mass
        inertia = self.HALF_LENGTH * (4 / 3 - self.POLE * cosine**2 / mass)
        turn = (self.GRAVITY * sine - cosine * pushed) / inertia  # radians/s²
        faster = pushed - moment * turn * cosine / mass  # m/s²
        x, angle = x + self.SECONDS * speed, angle + self.SECONDS * turning
        after = (x, speed + self.SECONDS * faster, angle, turning + self.SECONDS * turn)
        fell = (abs(x) > self.FARTHEST) | (abs(angle) > self.STEEPEST)
        return after, x * 0 + 1.0, fell


class MountainCar(Simulated):
    """A car in a valley, too weak for the hill: it must swing up.  Push left (0), not (1), right
    (2).

    A state holds position (−1.2 to 0.6) and speed (−0.07 to 0.07); it begins at rest between −0.6
    and −0.4.  Each step gives reward −1; an episode terminates at position 0.5, and is truncated
    after ``limit`` steps, 200 in Gymnasium's MountainCar-v0.  (Moore, 1990.)
    """

    states, actions = 2, 3
    least, most = (-0.6, 0.0), (-0.4, 0.0)
    FORCE, GRAVITY, FASTEST, GOAL = 0.001, 0.0025, 0.07, 0.5
    LEFT, RIGHT = -1.2, 0.6

    def __init__(self, limit: int = 200) -> None:
        super().__init__(limit)

    def observe(self, m: Numbers, numbers: Any) -> Number:
        """Everything is shown."""
        return m.stack(numbers)

    def advance(self, m: Numbers, numbers: Any, action: Any) -> tuple[Any, Number, Number]:
        """Pushes once."""
        place, speed = self._rolled(m, numbers, (action - 1) * self.FORCE)
        there = (place >= self.GOAL) & (speed >= 0)
        return (place, speed), place * 0 - 1.0, there

    def _rolled(self, m: Numbers, numbers: Any, push: Any) -> tuple[Any, Any]:
        """Position and speed after a push; the left end is a wall."""
        place, speed = numbers
        speed = speed + push - self.GRAVITY * m.cos(3 * place)
        speed = m.clip(speed, -self.FASTEST, self.FASTEST)
        place = m.clip(place + speed, self.LEFT, self.RIGHT)
        return place, m.where((place <= self.LEFT) & (speed < 0), speed * 0, speed)


class MountainCarContinuous(MountainCar):
    """``MountainCar`` pushed by a number from −1 to 1, which costs 0.1 of its square; reward 100 at
    position 0.45, where the episode terminates.  Truncated after 999 steps, as Gymnasium's
    MountainCarContinuous-v0."""

    actions, bounds = 1, ((-1.0,), (1.0,))
    FORCE, GOAL = 0.0015, 0.45

    def __init__(self, limit: int = 999) -> None:
        super().__init__(limit)

    def advance(self, m: Numbers, numbers: Any, action: Any) -> tuple[Any, Number, Number]:
        """Pushes once."""
        (push,) = action
        place, speed = self._rolled(m, numbers, m.clip(push, -1.0, 1.0) * self.FORCE)
        there = (place >= self.GOAL) & (speed >= 0)
        return (place, speed), m.where(there, place * 0 + 100.0, place * 0) - 0.1 * push**2, there


class Pendulum(Simulated):
    """A pendulum that hangs anywhere shall stand up and stay, by a torque from −2 to 2 Nm.

    A state holds cosine and sine of the angle (0 is up) and the speed (radians/s, up to 8).  Each
    step takes 0.05 s and gives −(angle² + 0.1 speed² + 0.001 torque²), angle from −π to π.  An
    episode never terminates; it is truncated after ``limit`` steps, 200 in Gymnasium's Pendulum-v1.
    """

    states, actions, bounds = 3, 1, ((-2.0,), (2.0,))
    least, most = (-math.pi, -1.0), (math.pi, 1.0)
    GRAVITY, SECONDS, FASTEST, STRONGEST = 10.0, 0.05, 8.0, 2.0

    def __init__(self, limit: int = 200) -> None:
        super().__init__(limit)

    def observe(self, m: Numbers, numbers: Any) -> Number:
        """Cosine, sine, speed."""
        angle, speed = numbers
        return m.stack((m.cos(angle), m.sin(angle), speed))

    def advance(self, m: Numbers, numbers: Any, action: Any) -> tuple[Any, Number, Number]:
        """Turns for 0.05 s."""
        angle, speed = numbers
        torque = m.clip(action[0], -self.STRONGEST, self.STRONGEST)
        cost = _turned(angle) ** 2 + 0.1 * speed**2 + 0.001 * torque**2
        faster = 1.5 * self.GRAVITY * m.sin(angle) + 3.0 * torque
        speed = m.clip(speed + faster * self.SECONDS, -self.FASTEST, self.FASTEST)
        return (angle + speed * self.SECONDS, speed), -cost, speed != speed


class Acrobot(Simulated):
    """Two links hang from a hook; swing the free end over the height of one link by a torque
    −1, 0 or 1 (actions 0, 1, 2) at the joint between them.

    A state holds cosine and sine of both angles and both speeds.  Each step takes 0.2 s (by Runge
    and Kutta's rule) and gives −1, 0 at the end; an episode terminates when −cos θ₁ − cos(θ₁ + θ₂)
    exceeds 1, and is truncated after ``limit`` steps, 500 in Gymnasium's Acrobot-v1.
    (Sutton, 1996.)
    """

    states, actions = 6, 3
    least, most = (-0.1,) * 4, (0.1,) * 4
    SECONDS, FASTEST = 0.2, (4 * math.pi, 9 * math.pi)

    def __init__(self, limit: int = 500) -> None:
        super().__init__(limit)

    def observe(self, m: Numbers, numbers: Any) -> Number:
        """Cosine and sine of both angles, both speeds."""
        one, two, speed1, speed2 = numbers
        return m.stack((m.cos(one), m.sin(one), m.cos(two), m.sin(two), speed1, speed2))

    def advance(self, m: Numbers, numbers: Any, action: Any) -> tuple[Any, Number, Number]:
        """Swings for 0.2 s."""
        torque, h = action - 1.0, self.SECONDS

        def moved(by: float, change: Any) -> tuple[Any, ...]:
            return tuple(x + by * c for x, c in zip(numbers, change, strict=True))

        k1 = self._change(m, numbers, torque)
        k2 = self._change(m, moved(h / 2, k1), torque)
        k3 = self._change(m, moved(h / 2, k2), torque)
        k4 = self._change(m, moved(h, k3), torque)
        mixed = [a + 2 * b + 2 * c + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
        one, two, speed1, speed2 = moved(h / 6, mixed)
        one, two = _turned(one), _turned(two)
        speed1 = m.clip(speed1, -self.FASTEST[0], self.FASTEST[0])
        speed2 = m.clip(speed2, -self.FASTEST[1], self.FASTEST[1])
        there = -m.cos(one) - m.cos(one + two) > 1.0
        return (one, two, speed1, speed2), m.where(there, one * 0, one * 0 - 1.0), there

    def _change(self, m: Numbers, numbers: Any, torque: Any) -> tuple[Any, ...]:
        """Derivatives of angles and speeds by time: masses, lengths and inertias 1, centres in the
        middle, gravity 9.8 (Sutton and Barto, section 11.3 of the first edition)."""
        one, two, speed1, speed2 = numbers
        sine, cosine, g = m.sin(two), m.cos(two), 9.8
        d1 = 0.25 + (1.25 + cosine) + 2.0
        d2 = (0.25 + 0.5 * cosine) + 1.0
        phi2 = 0.5 * g * m.cos(one + two - math.pi / 2)
        phi1 = (
            -0.5 * speed2**2 * sine
            - speed2 * speed1 * sine
            + 1.5 * g * m.cos(one - math.pi / 2)
            + phi2
        )
        faster2 = torque + d2 / d1 * phi1 - 0.5 * speed1**2 * sine - phi2
        faster2 = faster2 / (1.25 - d2**2 / d1)
        return speed1, speed2, -(d2 * faster2 + phi1) / d1, faster2


def _turned(angle: Any) -> Any:
    """The same angle from −π to π."""
    return (angle + math.pi) % (2 * math.pi) - math.pi

"""The whole contract: whoever wants to be a `Store` passes all of it, and there is no way to leave anything out.

A test module derives one class from each contract and supplies a `store` fixture: opened, empty, closed afterwards.
"""

from __future__ import annotations

from tests.store.contract_configuration import ConfigurationContract, SweepContract
from tests.store.contract_grants import RedeemContract, RefreshContract, RevokeContract
from tests.store.contract_liveness import (
    DisabledClientContract,
    DisabledUserContract,
    IdleSessionContract,
    NewEpochContract,
    SignInAnewContract,
    SignOutContract,
    WithdrawalContract,
)
from tests.store.contract_people import ConsentContract, SessionContract, ThrottleContract, UserContract


class StoreContract:
    """Each member is a set of promises; deriving from this class takes them all."""

    class TestRedeem(RedeemContract): ...

    class TestRefresh(RefreshContract): ...

    class TestRevoke(RevokeContract): ...

    class TestSignOut(SignOutContract): ...

    class TestSignInAnew(SignInAnewContract): ...

    class TestWithdrawal(WithdrawalContract): ...

    class TestDisabledUser(DisabledUserContract): ...

    class TestDisabledClient(DisabledClientContract): ...

    class TestNewEpoch(NewEpochContract): ...

    class TestIdleSession(IdleSessionContract): ...

    class TestSessions(SessionContract): ...

    class TestConsents(ConsentContract): ...

    class TestUsers(UserContract): ...

    class TestThrottle(ThrottleContract): ...

    class TestConfiguration(ConfigurationContract): ...

    class TestSweep(SweepContract): ...

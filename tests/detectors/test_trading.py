"""Signs of collusion: what article 40 names, as notices for a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.trading import FAMILY, judge_tender, mask, usable
from domain.errors import EventError
from domain.rules.trading import TRAITS
from tests.detectors.making import CENTRE, at, centre
from tests.detectors.subjects import check_look_at, check_set_only, found, grounds, said

ON = centre(rules={"trading": {}})
OPEN = centre(rules={"trading": {"mask": "full"}})


def bid(bidder, when="03-02 10:00", **data):
    return said("bid.submitted", when, tender="t1", bidder=bidder, **data)


def judge(*bids, now="12-31 23:00", rules=ON):
    return judge_tender("t1", bids, rules, at(now))


VALUES = {
    "ip": "114.114.114.114",
    "mac": "00-1A-2B-3C-4D-5E",
    "cpu_serial": "BFEBFBFF000906EA",
    "disk_serial": "WD-WCC6Y7XJ",
    "dongle": "GLODON-88123",
    "file_id": "f2c1a9d0",
    "deposit_account": "6222020200112233445",
    "project_manager": "张建国 云153060",
    "agent": "李 530502199001011234",
}


@pytest.mark.parametrize("trait", TRAITS)
def test_every_trait_two_bidders_share_is_told_and_no_more(trait):
    same = [bid("甲公司", **{trait: VALUES[trait]}), bid("乙公司", "03-03 11:00", **{trait: VALUES[trait]})]
    other = bid("丙公司", "03-03 12:00", **{trait: "218.75.12.9" if trait == "ip" else "00:1a:2b:3c:4d:99"})
    verdict = judge(*same, other)
    assert found(verdict) == [(f"bid.same_{trait}", "03-03 11:00", None)]
    (finding,) = verdict.findings
    assert (finding.severity, finding.explain["bidders"]) == ("notice", ["乙公司", "甲公司"])
    assert "art. 40" in finding.explain["articles"]
    assert VALUES[trait] not in str(finding.explain), "masked unless the centre wants it whole"
    assert (
        judge(*same, rules=OPEN).findings[0].explain["value"].casefold()[:2] == VALUES[trait][:2].casefold()
    )
    assert judge(same[0], bid("甲公司", "03-04 10:00", **{trait: VALUES[trait]})).findings == ()


def test_which_article_belongs_to_which_sign():
    pairs = {"project_manager": "40(3)", "agent": "40(2)", "deposit_account": "40(6)", "mac": "40(1)"}
    for trait, article in pairs.items():
        verdict = judge(bid("a", **{trait: VALUES[trait]}), bid("b", **{trait: VALUES[trait]}))
        assert article in verdict.findings[0].explain["articles"]


def test_a_mac_is_the_same_however_it_is_written():
    assert judge(bid("a", mac="00-1A-2B-3C-4D-5E"), bid("b", mac="001a.2b3c.4d5e")).findings


@pytest.mark.parametrize(
    ("trait", "value"),
    [("ip", "192.168.1.4"), ("ip", "127.0.0.1"), ("ip", "x"), ("mac", "00:00:00:00:00:00"), ("dongle", "无"),
     ("file_id", " "), ("disk_serial", "0"), ("agent", None), ("dongle", True)],
)  # fmt: skip
def test_values_that_say_nothing(trait, value):
    assert usable(trait, value) is None
    assert judge(bid("a", **{trait: value}), bid("b", **{trait: value})).findings == ()


def test_the_centres_own_terminals_say_nothing():
    rules = centre(rules={"trading": {"ignore": ["114.114.114.114"]}})
    assert judge(bid("a", ip=VALUES["ip"]), bid("b", ip=VALUES["ip"]), rules=rules).findings == ()


def test_near_identical_prices():
    verdict = judge(
        bid("a", price="1000000"), bid("b", "03-03 10:00", price=1000900), bid("c", price=1200000), rules=OPEN
    )
    assert found(verdict) == [("bid.price_near", "03-03 10:00", None)]
    assert verdict.findings[0].explain["groups"] == [
        [{"bidder": "a", "price": "1000000"}, {"bidder": "b", "price": "1000900"}]
    ]
    assert verdict.findings[0].explain["bids"] == 3
    assert judge(bid("a", price=1000000), bid("b", price=1002000)).findings == ()


@pytest.mark.parametrize(
    ("prices", "law"),
    [
        ((100.0, 105.0, 110.0, 115.0), "steps"),
        ((100, 110, 121, "133.1"), "ratios"),
        ((100, 105, 111, 140), None),
        ((100, 105), None),
        ((77, 100, 105, 110), "steps"),
    ],
)
def test_regular_differences_between_prices(prices, law):
    verdict = judge(*(bid(f"b{i}", price=p) for i, p in enumerate(prices)), rules=OPEN)
    signals = [f for f in verdict.findings if f.rule == "bid.price_regular"]
    assert [f.explain["law"] for f in signals] == ([law] if law else [])


def test_the_last_price_of_a_bidder_counts():
    first, second = bid("a", price=100), bid("a", "03-04 10:00", price=170)
    assert judge(first, bid("b", price=100)).findings
    assert judge(first, second, bid("b", price=100)).findings == ()


def test_nothing_is_said_before_the_opening():
    sealed = [bid(x, ip=VALUES["ip"], opens_at="2026-03-20T09:30:00+08:00") for x in "ab"]
    quiet = judge(*sealed, now="03-20 09:29")
    assert (quiet.findings, quiet.look_at) == ((), at("03-20 09:30"))
    assert found(judge(*sealed, now="03-20 09:30")) == [("bid.same_ip", "03-20 09:30", None)]


def test_a_judgement_of_the_committee_closes_it():
    bids = [bid("a", ip=VALUES["ip"]), bid("b", ip=VALUES["ip"])]
    judged = said("bid.judged", "03-10 15:00", tender="t1", result="dismissed")
    assert found(judge(*bids, judged)) == [("bid.same_ip", "03-02 10:00", "03-10 15:00")]
    assert judge(*bids).status == {"bidders": 2, "signals": ["same_ip"]}


def test_masks():
    assert mask("114.114.114.114", "ends") == "114***114"
    assert mask("abcd", "ends") == "****"
    assert mask("abcdefghijkl", "none") == "********"
    assert mask("abcd", "full") == "abcd"


def test_what_a_bid_must_say():
    with pytest.raises(EventError, match="bidder"):
        said("bid.submitted", "03-02 10:00", tender="t1")
    with pytest.raises(EventError, match="price"):
        bid("a", price=-3)
    assert not FAMILY.wanted(CENTRE)
    assert FAMILY.name_of(bid("a"), ON) == "t1"


moments = st.integers(0, 24 * 20).map(lambda hours: at("03-01 00:00") + timedelta(hours=hours))
bids = st.lists(
    st.one_of(
        st.builds(
            lambda who, when, ip, price, opens: bid(who, when, ip=ip, price=price, opens_at=opens),
            st.sampled_from("abc"),
            moments,
            st.sampled_from((None, "114.114.114.114", "218.75.12.9")),
            st.sampled_from((None, 100, 110, 120, "120.05")),
            st.sampled_from((None, None, "2026-03-10T09:30:00+08:00")),
        ),
        st.builds(lambda when: said("bid.judged", when, tender="t1"), moments),
    ),
    max_size=7,
)


@settings(max_examples=80, deadline=None)
@given(bids, moments, st.integers(0, 999), st.floats(0, 1))
def test_only_the_set_of_events_counts_and_nothing_changes_before_look_at(some, now, seed, share):
    check_set_only(FAMILY, "t1", some, ON, now, seed)
    check_look_at(FAMILY, "t1", some, ON, now, share)


@settings(max_examples=40, deadline=None)
@given(bids, moments)
def test_the_names_of_the_bidders_decide_nothing(some, now):
    renamed = [
        said(e.kind, e.occurred_at, id=e.event_id, **{**e.data, "bidder": f"z{e.data['bidder']}"})
        if e.kind == "bid.submitted" else e
        for e in some
    ]  # fmt: skip
    assert [g[0] for g in grounds(FAMILY.judge("t1", renamed, ON, now))] == [
        g[0] for g in grounds(FAMILY.judge("t1", some, ON, now))
    ]

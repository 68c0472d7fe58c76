"""The preview of a feature update: one and the same update for every node that does not have it yet, or nothing is begun."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from include.hci.cluster.cau_runs import CauScan
from include.hci.policy.feature import NodeOffer, Offers, judge_offers
from include.hci.report.values import Problem
from include.hci.steps.cau_run_preview import CauPreview, NodeNow, PreviewFacts
from include.hci.steps.decisions import Decision, Done, Stop


class FeaturePreview(CauPreview):
    """Ends 'previewed' with the plan; without work where every node has the same version already."""

    def decide(self, facts: PreviewFacts, now: datetime) -> Decision:
        """Scan once; then hold what every node is offered against the others."""
        decision = super().decide(facts, now)
        if not isinstance(decision, Done):
            return decision
        nodes = offers_of(facts)
        offers = judge_offers(nodes)
        if offers.problem:
            return Stop(_not_begun(offers, nodes))
        return replace(decision, why=_said(offers, nodes))


def offers_of(facts: PreviewFacts) -> tuple[NodeOffer, ...]:
    """Return what each node of the cluster runs and is offered."""
    scan = facts.scan or CauScan(())
    found = []
    for node in facts.members.nodes:
        now = facts.nodes.get(node.name, NodeNow())
        found.append(NodeOffer(node, now.build, tuple(dict.fromkeys(scan.of(node.name)))))
    return tuple(found)


def _said(offers: Offers, nodes: tuple[NodeOffer, ...]) -> str:
    if offers.update is None:
        return f"every node has the same version ({nodes[0].build}): nothing is to be installed" if nodes else ""
    have = f"; {', '.join(offers.upgraded)} have the new version already" if offers.upgraded else ""
    return f"{', '.join(offers.waiting)} are offered '{offers.update.title}' and nothing else{have}"


def _not_begun(offers: Offers, nodes: tuple[NodeOffer, ...]) -> Problem:
    listed = "; ".join(each.describe() for each in nodes)
    if offers.advice:
        return Problem(
            title=f"No feature update is begun, because {offers.problem}: {listed}.",
            meaning="Nothing was installed.",
            next_action=offers.advice,
            retry_is_safe=True,
        )
    return Problem(
        title=f"No feature update is begun, because {offers.problem}: {listed}.",
        meaning="CAU would install on every node what that node is offered. Servers at different patch levels are offered "
        "different feature updates, and a cluster may span two versions at the most. Nothing was installed.",
        next_action="Bring all nodes up and to one patch level (the cluster's rolling update), look at where they get their "
        "updates from, then start the run again.",
        retry_is_safe=True,
    )

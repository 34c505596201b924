"""The main job by the client that openapi-python-client makes from the served document, as somebody else would write it:
leads in, from a file and as JSON, a segment, a campaign, a launch, and statistics that add up."""

import io
import os
import sys
import time
import uuid

from minicrm_client import AuthenticatedClient
from minicrm_client.api.campaigns import create_campaign, get_campaign, get_campaign_stats, list_campaign_logs, run_campaign
from minicrm_client.api.jobs import get_job
from minicrm_client.api.leads import bulk_upsert_leads, import_leads, list_leads
from minicrm_client.api.segments import create_segment, preview_segment
from minicrm_client.models import (
    BulkUpsertLeadsBody,
    CampaignInput,
    CampaignStatus,
    Channel,
    JobState,
    LeadInput,
    LeadTagList,
    Problem,
    RulePreviewRequest,
    SegmentInput,
)
from minicrm_client.types import File

LEADS = 40
STATES = "pending queued sending sent delivered read failed skipped unknown cancelled".split()


def done(answer):
    """The answer, unless it is a problem or not as described: then the generated client returns that or nothing."""
    if answer is None or isinstance(answer, Problem):
        sys.exit(f"check-client: {answer}")
    return answer


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"check-client: {what}: {found!r}, not {wanted!r}")


def await_job(client, job_id):
    deadline = time.monotonic() + 60
    while done(get_job.sync(job_id, client=client)).data.state != JobState.COMPLETED:
        if time.monotonic() > deadline:
            sys.exit(f"check-client: the job {job_id} is not completed in time")
        time.sleep(0.2)


def main():
    client = AuthenticatedClient(
        os.environ["BASE_URL"], token=os.environ["MINICRM_KEY"], raise_on_unexpected_status=True
    )
    imported = f"name,emails\r\nBea,{uuid.uuid4()}@example.com\r\n".encode()
    upload = done(import_leads.sync(client=client, body=File(io.BytesIO(imported), "leads.csv"))).data
    expect("rows of the file", upload.received, 1)
    await_job(client, upload.job_id)

    tag = f"tag-{uuid.uuid4()}"
    leads = [
        LeadInput(
            name=f"Ann {number}", emails=[f"{tag}{number}@example.com"], phones=[f"+1415555{1000 + number}"], tags=[tag]
        )
        for number in range(LEADS)
    ]
    stored = done(
        bulk_upsert_leads.sync(client=client, body=BulkUpsertLeadsBody(leads), idempotency_key=str(uuid.uuid4()))
    ).data
    expect("inserted leads", (stored.inserted, stored.rejected), (LEADS, []))
    page = done(list_leads.sync(client=client, tag=tag, limit=7))
    expect("leads of the tag", (page.pagination.total, len(page.data)), (LEADS, 7))

    rule = LeadTagList.from_dict({"type": "condition", "field": "tags", "operator": "HAS_ANY", "value": [tag]})
    preview = done(preview_segment.sync(client=client, body=RulePreviewRequest(rule_ast=rule))).data
    expect("leads of the segment", preview.count, LEADS)
    segment = done(create_segment.sync(client=client, body=SegmentInput(name="Everybody", rule_ast=rule))).data
    campaign = done(
        create_campaign.sync(
            client=client,
            body=CampaignInput(
                name="Hello", segment_id=segment.field_id, message_template="Hi {{ name }}", channel=Channel.SMS
            ),
        )
    ).data
    launched = done(run_campaign.sync(campaign.field_id, client=client, idempotency_key=str(uuid.uuid4())))
    expect("leads of the launch", launched.total_leads, LEADS)

    deadline = time.monotonic() + 60
    while True:
        stats = done(get_campaign_stats.sync(campaign.field_id, client=client)).data
        expect("the sum of the states", sum(getattr(stats, state) for state in STATES), stats.audience)
        if stats.status == CampaignStatus.COMPLETED and stats.sent == 0:
            break
        if time.monotonic() > deadline:
            sys.exit(f"check-client: not completed in time: {stats}")
        time.sleep(0.2)
    expect("the audience", stats.audience, LEADS)
    expect("what was delivered or failed", stats.delivered + stats.failed, LEADS)
    shown = done(get_campaign.sync(campaign.field_id, client=client)).data
    expect("the campaign's run", shown.current_run, launched.run_id)
    logs = done(list_campaign_logs.sync(campaign.field_id, client=client, limit=100))
    expect("rows of the log", logs.pagination.total, LEADS)
    print(f"check-client: {LEADS} leads, {stats.delivered} messages delivered, {stats.failed} failed: it adds up")


main()

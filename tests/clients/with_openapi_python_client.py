"""Does a job with the client that openapi-python-client generated: URL KEY PICTURE."""

import sys
from pathlib import Path

from generated.api.jobs import create_image_job, create_job, create_json_job, get_job
from generated.api.pictures import get_detection_crop
from generated.api.results import list_passages
from generated.client import AuthenticatedClient
from generated.models.create_job_body import CreateJobBody
from generated.models.json_job import JsonJob
from generated.types import File

url, key, picture = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key, prefix="Bearer")
with Path(picture).open("rb") as file:
    body = CreateJobBody(files=[File(payload=file, file_name="car.jpg")], source_id="generated")
    job = create_job.sync(client=client, body=body)
with Path(picture).open("rb") as file:
    again = create_image_job.sync(client=client, body=File(payload=file), source_id="generated")
refused = create_json_job.sync(client=client, body=JsonJob(images=["no base64!"]))
assert job.job_id == again.job_id == get_job.sync(job.job_id, client=client).job_id
assert refused.field == "images.0", refused
(passage,) = list_passages.sync(client=client, text="KAB*").items
print(job.job_id, passage.text)
crop = get_detection_crop.sync("frame-0001", 0, client=client)
assert crop.payload.read(3) == b"\xff\xd8\xff"

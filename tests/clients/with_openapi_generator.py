"""Does a job with the Python client that openapi-generator generated: URL KEY PICTURE."""

import sys
from contextlib import suppress
from pathlib import Path

from generated import ApiClient, ApiException, Configuration, JobsApi, JsonJob, PicturesApi, ResultsApi

url, key, picture = sys.argv[1:]
with ApiClient(Configuration(host=url, api_key={"APIKeyHeader": key})) as client:
    jobs, data = JobsApi(client), Path(picture).read_bytes()
    job = jobs.create_job(files=[("car.jpg", data)], source_id="generated")
    again = jobs.create_image_job(body=data, source_id="generated")
    assert job.job_id == again.job_id == jobs.get_job(job.job_id).job_id
    with suppress(ApiException):
        jobs.create_json_job(JsonJob(images=["no base64!"]))
        raise AssertionError("not refused")
    (passage,) = ResultsApi(client).list_passages(text="KAB*").items
    print(job.job_id, passage.text)
    assert PicturesApi(client).get_detection_crop("frame-0001", 0)[:3] == b"\xff\xd8\xff"

// Does a job with the TypeScript client that openapi-generator generated: URL KEY PICTURE.
import { readFileSync } from "node:fs";
import { Configuration, JobsApi, PicturesApi, ResponseError, ResultsApi } from "./generated/index";

async function main(url: string, key: string, picture: string): Promise<void> {
  const configuration = new Configuration({ basePath: url, apiKey: key });
  const jobs = new JobsApi(configuration);
  const image = new Blob([readFileSync(picture)]);
  const job = await jobs.createJob({ files: [image], sourceId: "generated" });
  const again = await jobs.createImageJob({ body: image, sourceId: "generated" });
  const asked = await jobs.getJob({ jobId: job.jobId });
  if (job.jobId !== again.jobId || job.jobId !== asked.jobId) throw new Error("not the same job");
  const refused = await jobs.createJsonJob({ jsonJob: { images: ["no base64!"] } }).catch((error) => error);
  if (!(refused instanceof ResponseError) || refused.response.status !== 422) throw new Error("not refused");
  const page = await new ResultsApi(configuration).listPassages({ text: "KAB*" });
  const crop = await new PicturesApi(configuration).getDetectionCrop({ frameId: "frame-0001", detectionIndex: 0 });
  const start = new Uint8Array(await (crop as unknown as Blob).arrayBuffer()).slice(0, 2);
  if (start[0] !== 0xff || start[1] !== 0xd8) throw new Error("no JPEG");
  console.log(job.jobId, page.items[0]?.text);
}

main(process.argv[2]!, process.argv[3]!, process.argv[4]!).catch((error) => {
  console.error(error);
  process.exit(1);
});

// Does a job with fetch and the types that openapi-typescript generated: URL KEY PICTURE.
import { readFileSync } from "node:fs";
import type { components, operations, paths } from "./generated";

type JobAnswer = components["schemas"]["JobAnswer"];
type Passages = operations["list_passages"]["responses"][200]["content"]["application/json"];
type Wait = NonNullable<paths["/v1/jobs"]["post"]["parameters"]["query"]>["wait"];
type Urls = operations["create_json_job"]["requestBody"]["content"]["application/json"];

async function main(url: string, key: string, picture: string): Promise<void> {
  const headers = { "X-API-Key": key };
  const form = new FormData();
  form.append("files", new Blob([readFileSync(picture)]), "car.jpg");
  form.append("source_id", "generated");
  const wait: Wait = 0;
  const answer = await fetch(`${url}/v1/jobs?wait=${wait}`, { method: "POST", headers, body: form });
  const job = (await answer.json()) as JobAnswer;
  const body: Urls = { images: ["no base64!"], pipeline: "plates", lane: "interactive", source_id: "a", sequence: false };
  const json = { ...headers, "Content-Type": "application/json" };
  const refused = await fetch(`${url}/v1/jobs/json`, { method: "POST", headers: json, body: JSON.stringify(body) });
  const problem = (await refused.json()) as components["schemas"]["Problem"];
  if (problem.status !== 422 || problem.field !== "images.0") throw new Error("not refused");
  const page = (await (await fetch(`${url}/v1/passages?text=KAB*`, { headers })).json()) as Passages;
  console.log(job.job_id, page.items[0]?.text);
}

main(process.argv[2]!, process.argv[3]!, process.argv[4]!).catch((error) => {
  console.error(error);
  process.exit(1);
});

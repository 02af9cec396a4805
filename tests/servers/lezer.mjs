// Parses queries with the grammar of Grafana's own editors: lines of {"language", "query"} in, a list of what is
// wrong with each out, as [[from, to], ...].
import { createInterface } from 'node:readline';
import { parser as logql } from '@grafana/lezer-logql';
import { parser as promql } from '@prometheus-io/lezer-promql';

const parsers = { logql, promql };

for await (const line of createInterface({ input: process.stdin })) {
  const { language, query } = JSON.parse(line);
  const errors = [];
  parsers[language].parse(query).iterate({
    enter: (node) => { if (node.type.isError) errors.push([node.from, node.to]); },
  });
  console.log(JSON.stringify(errors));
}

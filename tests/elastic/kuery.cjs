// Gives for each line on standard input, a KQL query as a JSON text, the query of Elasticsearch that Kibana makes of it.
const { createInterface } = require('node:readline');
const { fromKueryExpression, toElasticsearchQuery } = require('@cybernetex/kbn-es-query');

createInterface({ input: process.stdin }).on('line', (line) => {
  console.log(JSON.stringify(toElasticsearchQuery(fromKueryExpression(JSON.parse(line)))));
});

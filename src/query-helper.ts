import { serveParent } from "./platform/node.ts";
import { answerQuery, type QueryOrder, type QueryResult } from "./sweep/results/answer-query.ts";

/*
 * The process that asks a database what somebody wrote in SQL: a question without end is ended with
 * it.
 */

serveParent<QueryOrder, never, QueryResult>((order) => answerQuery(order));

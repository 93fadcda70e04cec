import type { ClientBase } from 'pg'
import { DEFAULT_EPOCH_MS } from '../../src/key/layout.ts'

/** Which shards to make as the original `hypervault` made them: `first` and `last` are included. */
export interface OriginalShards {
  first: number
  last: number
  /** Its first script gives `entities` the column `updated`; its second one does not, and adds an index instead. */
  withUpdated: boolean
  epochMs?: number
}

/** Makes shards with the objects that the original's two scripts leave behind. */
export async function createOriginalShards(client: ClientBase, shards: OriginalShards): Promise<void> {
  const { first, last, withUpdated, epochMs = DEFAULT_EPOCH_MS } = shards
  await client.query('create extension if not exists hstore')
  await client.query(leftover(withUpdated ? 'hv_init' : 'initdb'))
  for (let shardId = first; shardId <= last; shardId += 1) {
    await client.query(shardSql(`shard${String(shardId).padStart(4, '0')}`, shardId, epochMs, withUpdated))
  }
}

/** The scripts wrap their loop in a function and never remove it. */
function leftover(name: string): string {
  return `create or replace function public.${name}() returns void language plpgsql as $$ begin return; end $$`
}

function shardSql(schema: string, shardId: number, epochMs: number, withUpdated: boolean): string {
  return `
    create schema ${schema};
    create sequence ${schema}.table_id_seq;
    create or replace function ${schema}.next_id(out result bigint) as $body$
    declare
      our_epoch bigint := ${epochMs};
      seq_id bigint;
      now_millis bigint;
      shard_id int := ${shardId};
    begin
      select nextval('${schema}.table_id_seq') % 1024 into seq_id;
      select floor(extract(epoch from clock_timestamp()) * 1000) into now_millis;
      result := (now_millis - our_epoch) << 23;
      result := result | (shard_id << 10);
      result := result | (seq_id);
    end;
    $body$ language plpgsql;
    create table ${schema}.entities (
      id bigint not null default ${schema}.next_id(),
      type smallint not null,
      body hstore not null,
      ${withUpdated ? 'updated timestamp,' : ''}
      constraint entities_pk primary key (id)
    );
    ${withUpdated ? '' : userIndexSql(schema)}`
}

function userIndexSql(schema: string): string {
  return `create index entities_idx_user_id on ${schema}.entities
    using btree (((body -> 'user_id')::bigint) desc nulls last) where type = 2`
}

import { boundByQueryTimeout } from '../../pool/pg-internals.ts'
import type { EntityGround } from '../entity-ground.ts'
import type { ServerSite } from '../site/server-site.ts'
import { ChangeLane } from './change-lane.ts'
import { DeleteLane } from './delete-lane.ts'
import { ExistsLane } from './exists-lane.ts'
import { GetLane } from './get-lane.ts'
import type { LaneSite } from './lane-site.ts'
import { PutLane } from './put-lane.ts'

/** What the lanes of all shards have in common. */
export interface LaneTerms extends EntityGround {
  /** The lanes of a shard where it lives now. */
  findLanes(shardId: number): ShardLanes
}

/** The lanes of one shard on its server, each made when it is used first: most shards see few sorts of operations. */
export class ShardLanes {
  readonly #site: LaneSite
  readonly #server: ServerSite
  readonly #terms: LaneTerms
  #get: GetLane | undefined
  #put: PutLane | undefined
  #change: ChangeLane | undefined
  #delete: DeleteLane | undefined
  #exists: ExistsLane | undefined

  constructor(shardId: number, server: ServerSite, terms: LaneTerms) {
    this.#site = laneSite(shardId, server, terms)
    this.#server = server
    this.#terms = terms
  }

  get get(): GetLane {
    return (this.#get ??= new GetLane(this.#site, () => this.#successor.get, this.#server.updated))
  }

  get put(): PutLane {
    const { epochMs } = this.#terms.settings
    return (this.#put ??= new PutLane(this.#site, () => this.#successor.put, this.#server, epochMs))
  }

  get change(): ChangeLane {
    return (this.#change ??= new ChangeLane(this.#site, () => this.#successor.change, this.#server))
  }

  get delete(): DeleteLane {
    return (this.#delete ??= new DeleteLane(this.#site, () => this.#successor.delete, this.#server))
  }

  get exists(): ExistsLane {
    return (this.#exists ??= new ExistsLane(this.#site, () => this.#successor.exists))
  }

  get #successor(): ShardLanes {
    return this.#terms.findLanes(this.#site.shardId)
  }
}

function laneSite(shardId: number, server: ServerSite, { follower, log, settings }: LaneTerms): LaneSite {
  return {
    shardId,
    pool: server.pool,
    log,
    waitTimeoutMs: settings.waitTimeoutMs,
    statementTimeoutMs: boundByQueryTimeout(server.pool.clientConfig, settings.statementTimeoutMs),
    apart: server.apart,
    pickChannel: (waitsForRows) => server.pickChannel(shardId, waitsForRows),
    follow: (refusal, attempt, leftMs) => follower.follow(refusal, { shardId, attempt, leftMs }),
  }
}

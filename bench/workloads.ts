import type { Workload } from './workload.ts'
import { find } from './workloads/find.ts'
import { get } from './workloads/get.ts'
import { load } from './workloads/load.ts'
import { manyShards } from './workloads/many-shards.ts'
import { migrate } from './workloads/migrate.ts'
import { move } from './workloads/move.ts'
import { put } from './workloads/put.ts'
import { routing } from './workloads/routing.ts'
import { scan } from './workloads/scan.ts'

/** What the bench measures, in this order. */
export const workloads: readonly Workload[] = [routing, get, put, load, find, scan, manyShards, move, migrate]

import type { Entity, Key } from '../../../src/index.ts'

/** How a reader found an entity: a version of it, or nothing. */
type Version = number

/** What a reader must not go back behind, taken when its read begins. */
export interface Floor {
  readonly version: Version
}

/**
 * What happened to one entity, whose body carries the number of its version. One caller changes it, one change after the
 * other; anybody reads it. What explains a read:
 *
 *   a version that was acknowledged  unless the same datastore has written or seen a later one before the read began
 *   one whose outcome is unknown     at any time after it was sent: it may still be on its way
 *   one that is being written        from when it was sent
 *   nothing                          if a version that deletes explains it; or, to another datastore than that of its
 *                                    caller, that it was put a moment ago where the reader does not look yet
 */
export class EntityStory {
  readonly key: Key
  readonly token: string
  /** The datastore that changes it. */
  readonly home: number
  #issued = 1
  #deleted: Version | undefined
  readonly #open = new Set<Version>()
  readonly #absent = new Set<Version>()
  readonly #seen = new Map<number, Version>()

  constructor(key: Key, token: string, home: number) {
    this.key = key
    this.token = token
    this.home = home
    this.#seen.set(home, 1)
  }

  /** Whether no change may follow, because it is deleted, or perhaps is. */
  get isOver(): boolean {
    return this.#deleted !== undefined
  }

  /** The number that the next change writes. */
  issue(isDelete = false): Version {
    this.#issued += 1
    this.#open.add(this.#issued)
    if (isDelete) this.#deleted = this.#issued
    return this.#issued
  }

  acknowledge(version: Version): void {
    this.#open.delete(version)
    this.#see(this.home, version)
  }

  /** The change was refused: nobody may ever see it. */
  refuse(version: Version): void {
    this.#open.delete(version)
    this.#absent.add(version)
    if (this.#deleted === version) this.#deleted = undefined
  }

  floorFor(datastore: number): Floor {
    return { version: this.#seen.get(datastore) ?? 0 }
  }

  /** What is wrong with a read, if anything is. */
  judge(entity: Entity | undefined, datastore: number, floor: Floor): string | undefined {
    return entity === undefined
      ? this.#judgeNothing(datastore, floor)
      : this.#judgeVersion(Number(entity.body.n), entity, datastore, floor)
  }

  /** What is wrong with what is there when all is over. */
  judgeEnd(body: { readonly n: number } | undefined): string | undefined {
    const acknowledged = this.#seen.get(this.home) ?? 1
    if (body === undefined) return this.#deleted === undefined ? this.#tell('lost', acknowledged) : undefined
    const isRight = body.n === acknowledged ? this.#deleted !== acknowledged : this.#open.has(body.n)
    return isRight ? undefined : this.#tell(`at the end version ${body.n}`, acknowledged)
  }

  #judgeNothing(datastore: number, { version }: Floor): string | undefined {
    if (this.#deleted !== undefined) return undefined
    return version === 0 && datastore !== this.home ? undefined : this.#tell('read nothing', version)
  }

  #judgeVersion(found: Version, { body }: Entity, datastore: number, floor: Floor): string | undefined {
    if (body.token !== this.token) return this.#tell(`read ${JSON.stringify(body)}`, floor.version)
    if (!(found >= 1 && found <= this.#issued)) return this.#tell(`version ${found} from nowhere`, floor.version)
    if (this.#absent.has(found)) return this.#tell(`version ${found}, which was refused`, floor.version)
    if (found < floor.version && !this.#open.has(found)) return this.#tell(`went back to ${found}`, floor.version)
    this.#see(datastore, found)
    return undefined
  }

  /** An open version says nothing of the ones after it. */
  #see(datastore: number, version: Version): void {
    if (this.#open.has(version)) return
    this.#seen.set(datastore, Math.max(this.#seen.get(datastore) ?? 0, version))
  }

  #tell(what: string, floor: Version): string {
    const state = `floor ${floor}, issued ${this.#issued}, open ${[...this.#open].join(' ')}, deleted ${this.#deleted}`
    return `${what}: ${this.token} (${this.key}), ${state}`
  }
}

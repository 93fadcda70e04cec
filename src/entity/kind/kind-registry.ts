import { describeType } from '../../arguments/arguments.ts'
import { KindTerms } from './kind-terms.ts'
import { Kind, type AnyKind } from './kind.ts'

/**
 * The kinds that one datastore has met. A number has one name and a name one number, or else keys and rows of one kind
 * would be taken for those of the other. The same number and name may be defined again: a module may be loaded twice.
 */
export class KindRegistry {
  readonly #epochMs: number
  readonly #names = new Map<number, string>()
  readonly #numbers = new Map<string, number>()

  constructor(epochMs: number) {
    this.#epochMs = epochMs
  }

  /** The terms of a kind; a TypeError if it contradicts one that was met before. */
  termsOf<K extends AnyKind>(kind: K): KindTerms<K> {
    if (!(kind instanceof Kind)) throw new TypeError(`kind takes the result of defineKind, got ${describeType(kind)}`)
    this.#assertAgrees(kind)
    this.#names.set(kind.number, kind.name)
    this.#numbers.set(kind.name, kind.number)
    return new KindTerms(kind, { epochMs: this.#epochMs, nameOf: (number) => this.#names.get(number) })
  }

  #assertAgrees({ number, name }: AnyKind): void {
    const otherName = this.#names.get(number) ?? name
    const otherNumber = this.#numbers.get(name) ?? number
    if (otherName !== name) throw new TypeError(`kind ${number} is already ${otherName}, and cannot also be ${name}`)
    if (otherNumber !== number)
      throw new TypeError(`${name} is already kind ${otherNumber}, and cannot also be ${number}`)
  }
}

/** What a store throws where the version isn't the expected one. */
export class ConcurrencyError extends Error {
  constructor(sagaId, expectedVersion, actualVersion) {
    super(`Concurrency conflict for saga ${sagaId}: expected version ${expectedVersion}, got ${actualVersion}`);
    Object.assign(this, { name: "ConcurrencyError", sagaId, expectedVersion, actualVersion });
  }
}

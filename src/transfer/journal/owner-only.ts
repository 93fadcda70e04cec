/** The mode of new files that hold entities, or say where they are: only their owner reads and writes them. */
export const OWNER_ONLY = 0o600

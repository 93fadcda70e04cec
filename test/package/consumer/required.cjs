const { Datastore, isHypervaultError, Key, loadConfig } = require('pg-hypervault')
const { Fleet } = require('pg-hypervault/fleet')
const { startCluster } = require('pg-hypervault/testing')

process.stdout.write(
  [Datastore, isHypervaultError, Key, loadConfig, Fleet, startCluster].map((each) => typeof each).join(),
)

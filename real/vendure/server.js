// A real, unmodified Vendure server on 127.0.0.1: configuration only, no plugin of ours.
// Everything that differs between runs comes from the environment (see server.py).
const {
  bootstrap,
  DefaultLogger,
  dummyPaymentHandler,
  JobQueueService,
  LogLevel,
} = require('@vendure/core');

const env = process.env;

const config = {
  apiOptions: {
    hostname: '127.0.0.1',
    port: Number(env.VENDURE_PORT),
    adminApiPath: 'admin-api',
    shopApiPath: 'shop-api',
    adminListQueryLimit: 1000,
  },
  authOptions: {
    tokenMethod: ['bearer', 'api-key'],
    requireVerification: false,
    superadminCredentials: { identifier: env.VENDURE_USER, password: env.VENDURE_PASSWORD },
  },
  dbConnectionOptions: {
    type: 'postgres',
    host: '127.0.0.1',
    port: Number(env.VENDURE_DATABASE_PORT),
    username: 'postgres',
    password: '',
    database: env.VENDURE_DATABASE,
    synchronize: true,
    logging: false,
  },
  // Pays without a payment provider; settles at once or on demand, as its argument says.
  paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
  customFields: {
    // How a shop lets an outside system put its own reference on an order, once.
    Order: [{ name: 'externalReference', type: 'string', nullable: true, unique: true, public: false }],
  },
  logger: new DefaultLogger({ level: LogLevel.Warn, timestamp: true }),
};

bootstrap(config)
  .then(app => app.get(JobQueueService).start())
  .catch(error => {
    console.error(error);
    process.exit(1);
  });

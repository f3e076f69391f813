/**
 * The log events of the payment scenario, made from its requests. Each request is logged when it
 * ends; a failure adds the lines the libraries in question really print. Pure.
 */
import { endMs } from "./payment-plan.ts";
import type { Call, Ending, PaymentServiceName, Traffic } from "./payment-traffic.ts";
import { type SpringEvent, type SpringLevel, springLine } from "./spring-line.ts";

export interface LogEvent {
  readonly timeMs: number;
  readonly service: PaymentServiceName;
  readonly replica: number;
  readonly level: SpringLevel;
  readonly text: string;
}

const ACCESS_LOGGER = "c.e.common.web.RequestLoggingFilter";
const HIKARI_LOGGER = "com.zaxxer.hikari.pool.HikariPool";
const POOL = "HikariPool-1";
const POOL_SIZE = 10;

/** All events in order of time; those of one request in the order its thread wrote them. */
export function makeLogEvents(traffic: Traffic): LogEvent[] {
  const events = traffic.calls.flatMap((call, index) => [
    ...failureEvents(call, index, traffic),
    accessEvent(call, index),
  ]);
  return events.sort((a, b) => a.timeMs - b.timeMs);
}

function accessEvent(call: Call, index: number): LogEvent {
  const level = call.status >= 500 ? "WARN" : "INFO";
  const path = call.uri.replace("{id}", `pay-${call.traceId.slice(0, 8)}`);
  const message = `${call.method} ${path} status=${call.status} duration=${call.latencyMs}ms`;
  return event(call, index, level, ACCESS_LOGGER, message, 0);
}

/** What is printed besides the access line. */
function failureEvents(call: Call, index: number, traffic: Traffic): LogEvent[] {
  const client = "c.e.orders.client.PaymentClient";
  const failures: Record<Ending, () => LogEvent[]> = {
    ok: () => [],
    pool_timeout: () => poolTimeoutEvents(call, index, traffic),
    upstream_failed: () => [event(call, index, "ERROR", client, UPSTREAM_FAILED, 2)],
    breaker_open: () => [event(call, index, "WARN", client, BREAKER_OPEN, 1)],
    passed_on: () => [event(call, index, "WARN", "c.e.gateway.UpstreamErrorHandler", PASSED_ON, 1)],
  };
  return failures[call.ending]();
}

/** What HikariCP, Hibernate and the service's own handler print, 3 ms and less before the answer. */
function poolTimeoutEvents(call: Call, index: number, traffic: Traffic): LogEvent[] {
  const waiting = traffic.waitingAt(call.replica, endMs(call));
  const unavailable = `${POOL} - Connection is not available, request timed out after ${call.latencyMs - 5}ms.`;
  const stats = `${POOL} - Timeout failure stats (total=${POOL_SIZE}, active=${POOL_SIZE}, idle=0, waiting=${waiting})`;
  return [
    event(call, index, "DEBUG", HIKARI_LOGGER, stats, 3),
    event(call, index, "ERROR", "o.h.engine.jdbc.spi.SqlExceptionHelper", unavailable, 2),
    event(
      call,
      index,
      "ERROR",
      "c.e.payment.web.GlobalExceptionHandler",
      chargeFailed(unavailable),
      1,
    ),
  ];
}

function event(
  call: Call,
  index: number,
  level: SpringLevel,
  logger: string,
  message: string,
  beforeEndMs: number,
): LogEvent {
  const spring: SpringEvent = {
    timeMs: endMs(call) - beforeEndMs,
    level,
    app: call.service,
    thread: `http-nio-8080-exec-${1 + (index % 200)}`,
    correlation: `${call.traceId}-${call.spanId}`,
    logger,
    message,
  };
  return {
    timeMs: spring.timeMs,
    service: call.service,
    replica: call.replica,
    level,
    text: springLine(spring),
  };
}

const UPSTREAM_FAILED = [
  "Charge failed: [500] during [POST] to [http://payment-service/api/v1/payments] [PaymentClient#charge(ChargeRequest)]",
  "feign.FeignException$InternalServerError: [500] during [POST] to [http://payment-service/api/v1/payments] [PaymentClient#charge(ChargeRequest)]",
  "\tat feign.FeignException.serverErrorStatus(FeignException.java:281)",
  "\tat feign.codec.ErrorDecoder$Default.decode(ErrorDecoder.java:103)",
  "\tat com.example.orders.OrderService.place(OrderService.java:77)",
].join("\n");

const BREAKER_OPEN =
  "Charge not attempted: CircuitBreaker 'payment-service' is OPEN and does not permit further calls";

const PASSED_ON =
  "order-service answered 503 SERVICE_UNAVAILABLE: payment-service is not available";

function chargeFailed(unavailable: string): string {
  return [
    "Charge failed: Could not open JPA EntityManager for transaction",
    "org.springframework.transaction.CannotCreateTransactionException: Could not open JPA EntityManager for transaction",
    "\tat org.springframework.orm.jpa.JpaTransactionManager.doBegin(JpaTransactionManager.java:466)",
    "\tat org.springframework.transaction.support.AbstractPlatformTransactionManager.startTransaction(AbstractPlatformTransactionManager.java:531)",
    "\tat com.example.payment.ChargeService.charge(ChargeService.java:58)",
    "Caused by: org.hibernate.exception.JDBCConnectionException: Unable to acquire JDBC Connection",
    "\tat org.hibernate.exception.internal.SQLExceptionTypeDelegate.convert(SQLExceptionTypeDelegate.java:51)",
    "\t... 92 common frames omitted",
    `Caused by: java.sql.SQLTransientConnectionException: ${unavailable}`,
    "\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:709)",
    "\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:188)",
    "\tat com.zaxxer.hikari.HikariDataSource.getConnection(HikariDataSource.java:146)",
    "\t... 101 common frames omitted",
  ].join("\n");
}

import com.amazonaws.services.dynamodbv2.AcquireLockOptions;
import com.amazonaws.services.dynamodbv2.AmazonDynamoDBLockClient;
import com.amazonaws.services.dynamodbv2.AmazonDynamoDBLockClientOptions;
import com.amazonaws.services.dynamodbv2.GetLockOptions;
import com.amazonaws.services.dynamodbv2.LockItem;
import com.amazonaws.services.dynamodbv2.model.LockCurrentlyUnavailableException;
import com.amazonaws.services.dynamodbv2.ReleaseLockOptions;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/**
 * LockPeer URL - amazon-dynamodb-lock-client, driven by lines of JSON:
 *
 * {"do": "new", "as": "c", "table": "t", "owner": "o", "lease_ms": 2000, "heartbeat_ms": 0, "sort": "name"}   0: no heartbeats
 * {"do": "acquire", "on": "c", "as": "l", "key": "k", "sort": "s", "wait_ms": 0, "data": "text", "keep": true}  keep: its release deletes nothing
 * {"do": "release"|"heartbeat"|"expired", "on": "c", "lock": "l"}, {"do": "look", "on": "c", "key": "k"}
 * {"do": "contend", "on": "c", "key": "k", "ms": 5000, "hold_ms": 5, "witness": "file"}   takes and releases until the time is up
 *
 * Answers: {"id", "result": {…}} or {"id", "error": {"name", "message"}}. A lock that isn't to be had: "acquired": false.
 */
public final class LockPeer {
    private final DynamoDbClient dynamodb;
    private final Map<String, AmazonDynamoDBLockClient> clients = new HashMap<>();
    private final Map<String, LockItem> locks = new HashMap<>();

    private LockPeer(String url) {
        dynamodb = DynamoDbClient.builder().endpointOverride(URI.create(url)).region(Region.of(System.getenv("AWS_REGION")))
            .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("peer", "peer"))).build();
    }

    private static String text(JsonNode line, String name, String missing) {
        return line.field(name).map(JsonNode::asString).orElse(missing);
    }

    private static long number(JsonNode line, String name, long missing) {
        return line.field(name).map(n -> Long.parseLong(n.asNumber())).orElse(missing);
    }

    private static boolean truth(JsonNode line, String name) {
        return line.field(name).map(JsonNode::asBoolean).orElse(false);
    }

    private static String quoted(String s) {
        if (s == null) return "null";
        StringBuilder out = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    private void open(JsonNode line) {
        long leaseMs = number(line, "lease_ms", 20000), beatMs = number(line, "heartbeat_ms", 0);
        AmazonDynamoDBLockClientOptions.AmazonDynamoDBLockClientOptionsBuilder options =
            AmazonDynamoDBLockClientOptions.builder(dynamodb, text(line, "table", null)).withOwnerName(text(line, "owner", "java"))
                .withLeaseDuration(leaseMs).withTimeUnit(TimeUnit.MILLISECONDS).withHeartbeatPeriod(beatMs > 0 ? beatMs : Math.max(1, leaseMs / 4))
                .withCreateHeartbeatBackgroundThread(beatMs > 0);
        line.field("sort").ifPresent(sort -> options.withSortKeyName(sort.asString()));
        clients.put(text(line, "as", ""), new AmazonDynamoDBLockClient(options.build()));
    }

    private Optional<LockItem> take(AmazonDynamoDBLockClient client, JsonNode line) throws InterruptedException {
        AcquireLockOptions.AcquireLockOptionsBuilder options = AcquireLockOptions.builder(text(line, "key", null))
            .withAdditionalTimeToWaitForLock(number(line, "wait_ms", 0)).withRefreshPeriod(number(line, "refresh_ms", 50L))
            .withTimeUnit(TimeUnit.MILLISECONDS).withDeleteLockOnRelease(!truth(line, "keep"))
            .withShouldSkipBlockingWait(truth(line, "at_once"));
        line.field("sort").ifPresent(sort -> options.withSortKey(sort.asString()));
        line.field("data").ifPresent(data -> options.withData(ByteBuffer.wrap(data.asString().getBytes(StandardCharsets.UTF_8))));
        try {
            return client.tryAcquireLock(options.build());
        } catch (LockCurrentlyUnavailableException e) { // of at_once
            return Optional.empty();
        }
    }

    private static String show(LockItem lock) {
        String data = lock.getData().map(d -> StandardCharsets.UTF_8.decode(d.duplicate()).toString()).orElse(null);
        return "\"owner\":" + quoted(lock.getOwnerName()) + ",\"version\":" + quoted(lock.getRecordVersionNumber()) + ",\"data\":" + quoted(data)
            + ",\"expired\":" + lock.isExpired();
    }

    private String acquire(AmazonDynamoDBLockClient client, JsonNode line) throws Exception {
        Optional<LockItem> lock = take(client, line);
        lock.ifPresent(l -> locks.put(text(line, "as", ""), l));
        return "{\"acquired\":" + lock.isPresent() + lock.map(l -> "," + show(l)).orElse("") + "}";
    }

    /** The client gives every lock of its own back that it has not seen end: a lock that is another's by then is not to be touched. */
    private String contend(AmazonDynamoDBLockClient client, JsonNode line) throws Exception {
        Path witness = Path.of(text(line, "witness", null));
        long end = System.nanoTime() + number(line, "ms", 1000) * 1_000_000, held = 0, overlaps = 0, lost = 0;
        while (System.nanoTime() < end) {
            Optional<LockItem> lock = take(client, line);
            if (lock.isEmpty()) continue;
            held++;
            boolean ours = true;
            try {
                Files.createFile(witness);
            } catch (FileAlreadyExistsException e) {
                overlaps++;
                ours = false;
            }
            Thread.sleep(number(line, "hold_ms", 5));
            if (ours) Files.deleteIfExists(witness);
            if (!client.releaseLock(ReleaseLockOptions.builder(lock.get()).withDeleteLock(!truth(line, "keep")).build())) lost++;
            Thread.sleep(ThreadLocalRandom.current().nextLong(20)); // so that the other comes to it
        }
        return "{\"held\":" + held + ",\"overlaps\":" + overlaps + ",\"lost\":" + lost + "}";
    }

    private String call(JsonNode line) throws Exception {
        String name = text(line, "do", "");
        if (name.equals("new")) {
            open(line);
            return "null";
        }
        AmazonDynamoDBLockClient client = clients.get(text(line, "on", ""));
        LockItem lock = locks.get(text(line, "lock", ""));
        switch (name) {
            case "acquire": return acquire(client, line);
            case "contend": return contend(client, line);
            case "release": return "{\"released\":" + client.releaseLock(lock) + "}";
            case "expired": return "{\"expired\":" + lock.isExpired() + "}";
            case "heartbeat":
                client.sendHeartbeat(lock);
                return "{" + show(lock) + "}";
            case "look":
                GetLockOptions.GetLockOptionsBuilder options = GetLockOptions.builder(text(line, "key", null));
                line.field("sort").ifPresent(sort -> options.withSortKey(sort.asString()));
                return client.getLockFromDynamoDB(options.build()).map(l -> "{" + show(l) + "}").orElse("null");
            default: throw new IllegalArgumentException("there is no call " + name);
        }
    }

    private String answer(String text) {
        JsonNode line = JsonNode.parser().parse(text);
        String id = "\"id\":" + line.field("id").map(JsonNode::asNumber).orElse("null");
        try {
            return "{" + id + ",\"result\":" + call(line) + "}";
        } catch (Exception e) {
            return "{" + id + ",\"error\":{\"name\":" + quoted(e.getClass().getSimpleName()) + ",\"message\":" + quoted(e.getMessage()) + "}}";
        }
    }

    public static void main(String[] args) throws Exception {
        LockPeer peer = new LockPeer(args[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(peer.answer(line));
            System.out.flush();
        }
        System.exit(0); // clients have threads
    }
}
